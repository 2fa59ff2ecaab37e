// Package file makes a folder of the file system a bucket.
//
// An object is a regular file, its key the path below the root. What is being written is a
// pending file in the target's own folder, ".bm-RANDOM.NAME.pending": hidden from List, shown
// by Uploads, and renamed to NAME (or, for create-if-absent, linked to it) once it is whole and
// on the disk. A crash leaves pending files behind, never half an object.
//
// The name of the pending file is the upload's ID. The file's inode, modification time and
// size are its ETag, and renaming keeps all three: that is how Complete knows, when the pending
// file is gone, whether the object in its place came from it.
//
// Folders are made as they are needed. A Bucket removes those again that it made itself, once a
// Delete or an Abort leaves them empty; it touches no other.
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

	// Parts is how large the parts of uploads are taken to be, for Stats.
	Parts objstore.PartSizes
}

var (
	_ objstore.Bucket = (*Bucket)(nil)
	_ objstore.Meter  = (*Bucket)(nil)
)

// Open returns the folder root as a bucket. With "/" the keys are absolute paths without their
// leading slash. A root that does not exist is made by the first write.
func Open(root string) (*Bucket, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("make %q absolute: %w", root, err)
	}
	info, err := os.Stat(abs)
	if err == nil && !info.IsDir() {
		return nil, fmt.Errorf("open %s as a bucket: %w: not a folder", abs, objstore.ErrInvalid)
	}
	return &Bucket{root: abs, folders: newFolders()}, nil
}

// URL is "file://" and the root, but for the slash at its end.
func (b *Bucket) URL() string {
	return "file://" + strings.TrimSuffix(filepath.ToSlash(b.root), "/")
}

// path finds the file of key. It refuses keys that a folder can't hold, or that name a file
// outside of the root or a pending one.
func (b *Bucket) path(key string) (string, error) {
	if key == "" {
		return "", objstore.Invalidf("the key is empty")
	}
	for element := range strings.SplitSeq(key, "/") {
		if element == "" || element == "." || element == ".." {
			return "", objstore.Invalidf("the key has an empty, \".\" or \"..\" element")
		}
		if _, ok := targetOf(element); ok {
			return "", objstore.Invalidf("names like %q are kept for uploads", element)
		}
	}
	if strings.ContainsRune(key, 0) {
		return "", objstore.Invalidf("the key has a zero byte")
	}
	return filepath.Join(b.root, filepath.FromSlash(key)), nil
}

// begin is what every method on one object does first.
func (b *Bucket) begin(ctx context.Context, key string) (path string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return b.path(key)
}

// Stat describes an object. It follows symbolic links.
func (b *Bucket) Stat(ctx context.Context, key string) (objstore.Object, error) {
	path, err := b.begin(ctx, key)
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

// statFile is os.Stat for objects only: a folder is as good as nothing there.
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

// etag tells the contents of a file from those of another that takes its name. The inode alone
// would not do, since file systems hand the number of a removed file to the next one.
func etag(info fs.FileInfo) string {
	v := versionOf(info)
	return fmt.Sprintf("%x-%x-%x", v.inode, v.modTime, v.size)
}

// version is what an ETag is made of.
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
