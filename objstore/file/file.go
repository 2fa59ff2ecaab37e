// Package file is the driver for folders: a folder of the file system is a bucket.
//
// An object is a regular file; its key is the path below the root. An object that is being written
// is a pending file in the target's folder, ".bm-RANDOM.NAME.pending". List omits pending files,
// Uploads lists them. Once the file is whole and on the disk, it is renamed to NAME (or, for
// PutIfAbsent, linked to it). A crash leaves pending files, never half an object.
//
// The upload's ID is the name of the pending file. The ETag is the file's inode, modification time
// and size. Renaming keeps all three, so when the pending file is gone, Complete knows whether the
// object came from it.
//
// Folders are made when they are needed. A Bucket removes a folder only if it made the folder, and
// a Delete or an Abort leaves it empty.
package file

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bucketmill/bucketmill/objstore"
)

// Bucket is a folder as an [objstore.Bucket].
type Bucket struct {
	root     string // absolute, clean; immutable
	folders  folders
	counters counters

	// Parts is the size of upload parts that Stats assumes.
	Parts objstore.PartSizes
}

var (
	_ objstore.Bucket = (*Bucket)(nil)
	_ objstore.Meter  = (*Bucket)(nil)
)

// Open returns the folder root as a bucket. If root is "/", keys are absolute paths without the
// leading slash. If root does not exist, the first write makes it.
func Open(root string) (*Bucket, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("make %q absolute: %w", root, err)
	}
	info, err := os.Stat(abs)
	if err == nil && !info.IsDir() {
		return nil, objstore.Invalidf("open %s as a bucket: it is not a folder", abs)
	}
	return &Bucket{root: abs, folders: newFolders()}, nil
}

// URL returns "file://" and the root, without a trailing slash.
func (b *Bucket) URL() string {
	return "file://" + strings.TrimSuffix(filepath.ToSlash(b.root), "/")
}

// path returns the path of the object's file. It refuses keys that a folder can't contain, and keys
// that name a file outside the root or a pending file.
func (b *Bucket) path(key string) (string, error) {
	if key == "" {
		return "", objstore.Invalidf("the key is empty")
	}
	for element := range strings.SplitSeq(key, "/") {
		if element == "" || element == "." || element == ".." {
			return "", objstore.Invalidf("the key has an empty, \".\" or \"..\" element")
		}
		if _, ok := targetOf(element); ok {
			return "", objstore.Invalidf("names like %q are reserved for uploads", element)
		}
	}
	if strings.ContainsRune(key, 0) {
		return "", objstore.Invalidf("the key contains a NUL byte")
	}
	return filepath.Join(b.root, filepath.FromSlash(key)), nil
}

// resolve returns the path of the object's file, or an error if ctx has ended. Every method on one
// object begins with it.
func (b *Bucket) resolve(ctx context.Context, key string) (path string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return b.path(key)
}

// Stat describes an object. It follows symbolic links.
func (b *Bucket) Stat(ctx context.Context, key string) (objstore.Object, error) {
	path, err := b.resolve(ctx, key)
	if err != nil {
		return objstore.Object{}, b.fail("stat", key, err)
	}
	b.counters.Heads.Add(1)
	info, err := statFile(path)
	if err != nil {
		return objstore.Object{}, b.fail("stat", key, err)
	}
	return describe(key, info), nil
}

// statFile is os.Stat for objects: a folder counts as absent.
func statFile(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%w: it is a folder", objstore.ErrNotFound)
	case !info.Mode().IsRegular():
		return nil, objstore.Invalidf("it is not a regular file")
	}
	return info, nil
}

func describe(key string, info fs.FileInfo) objstore.Object {
	return objstore.Object{Key: key, Size: info.Size(), ETag: etag(info), ModTime: info.ModTime()}
}

// etag distinguishes a file from another that takes its name. The inode alone does not, since file
// systems reuse the inode number of a removed file.
func etag(info fs.FileInfo) string {
	v := versionOf(info)
	return fmt.Sprintf("%x-%x-%x", v.inode, v.modTime, v.size)
}

// version is the content of an ETag.
type version struct {
	inode         uint64
	modTime, size int64 // ns since 1970; bytes
}

func versionOf(info fs.FileInfo) version {
	v := version{modTime: info.ModTime().UnixNano(), size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		v.inode = st.Ino
	}
	return v
}
