package executor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bucketmill/bucketmill/executor/program/process"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/objstore"
	"github.com/bucketmill/bucketmill/state"
)

// filesFolder is where the files go that were sent along with the program.
func (job *jobContext) filesFolder() string { return filepath.Join(job.folder, "files") }

// fetchFiles puts the files that were sent along with the program into a folder of their own, and
// returns their paths by their names.
func (j *jobContext) fetchFiles(ctx context.Context, work objstore.Bucket, moved func()) (map[string]string, error) {
	files := map[string]string{}
	for _, f := range j.spec.ProgramFiles {
		if f.Artifact == nil {
			return nil, fmt.Errorf("the program file %s was not sent along with the job", f.Name)
		}
		if !job.ProgramFileName(f.Name) {
			return nil, fmt.Errorf("%w: job %s has a program file %q", state.ErrMalformed, j.id, f.Name)
		}
		path := filepath.Join(j.filesFolder(), filepath.FromSlash(f.Name))
		if err := fetchArtifact(ctx, work, f.Artifact, path, moved); err != nil {
			return nil, fmt.Errorf("fetch the program file %s: %w", f.Name, err)
		}
		files[f.Name] = path
	}
	return files, nil
}

// onWrite is a writer that only tells of what is written.
type onWrite func()

func (f onWrite) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// artifactReads is how often a file is read that is not what was sent along, before it counts as
// lost: bytes may be damaged on their way.
const artifactReads = 3

// fetchArtifact puts a file on local disk, verified. It calls moved as its bytes come.
func fetchArtifact(ctx context.Context, work objstore.Bucket, artifact *job.Artifact, path string, moved func()) (err error) {
	for range artifactReads {
		if err = fetchOnce(ctx, work, artifact, path, moved); !errors.Is(err, objstore.ErrCorrupt) {
			return objstore.Withheld(ctx, work, artifact.Key, err, func() error { return fetchOnce(ctx, work, artifact, path, moved) })
		}
	}
	return fmt.Errorf("%w (read %d times); submit the job again", err, artifactReads)
}

func fetchOnce(ctx context.Context, work objstore.Bucket, artifact *job.Artifact, path string, moved func()) (err error) {
	if err := process.PassableFolder(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil { // Python lists the folders that it imports from
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // what an earlier try has left can't be written to
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o500)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil { // programs that run as other users read it, too; nobody but us gets to its folder otherwise
			err = f.Chmod(0o555)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			// It may not be written to a second time, and takes room.
			err = errors.Join(err, os.Remove(path))
		}
	}()
	r, err := work.Get(ctx, artifact.Key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum, onWrite(moved)), r)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != artifact.SHA256 {
		return fmt.Errorf("%w: %d bytes with sha256 %s came, %d with %s were sent", objstore.ErrCorrupt, n, got, artifact.Size, artifact.SHA256)
	}
	return nil
}
