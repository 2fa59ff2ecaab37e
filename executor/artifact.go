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

// filesFolder is the folder for the files that were sent along with the program.
func (j *jobContext) filesFolder() string { return filepath.Join(j.folder, "files") }

// fetchFiles copies the files that were sent along with the program to a folder on local disk, and
// returns their paths by their names.
func (j *jobContext) fetchFiles(ctx context.Context, work objstore.Bucket, progressed func()) (map[string]string, error) {
	files := map[string]string{}
	for _, f := range j.spec.ProgramFiles {
		if f.Artifact == nil {
			return nil, fmt.Errorf("the program file %s was not sent along with the job", f.Name)
		}
		if !job.ProgramFileName(f.Name) {
			return nil, fmt.Errorf("%w: job %s has a program file %q", state.ErrMalformed, j.id, f.Name)
		}
		path := filepath.Join(j.filesFolder(), filepath.FromSlash(f.Name))
		if err := fetchArtifact(ctx, work, f.Artifact, path, progressed); err != nil {
			return nil, fmt.Errorf("fetch the program file %s: %w", f.Name, err)
		}
		files[f.Name] = path
	}
	return files, nil
}

// onWrite is a writer that calls a function for each write.
type onWrite func()

func (f onWrite) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// artifactReads is how often a file is read before it counts as damaged: bytes may also be damaged
// on their way.
const artifactReads = 3

// fetchArtifact copies a file from the work store to local disk, and verifies it. It calls
// progressed as bytes arrive.
func fetchArtifact(ctx context.Context, work objstore.Bucket, artifact *job.Artifact, path string, progressed func()) (err error) {
	for range artifactReads {
		if err = fetchOnce(ctx, work, artifact, path, progressed); !errors.Is(err, objstore.ErrCorrupt) {
			return objstore.Withheld(ctx, work, artifact.Key, err, func() error { return fetchOnce(ctx, work, artifact, path, progressed) })
		}
	}
	return fmt.Errorf("%w (read %d times); submit the job again", err, artifactReads)
}

// fetchOnce is one try of fetchArtifact.
func fetchOnce(ctx context.Context, work objstore.Bucket, artifact *job.Artifact, path string, progressed func()) (err error) {
	if err := process.PassableFolder(filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil { // Python lists the folders that it imports from
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // the file of an earlier try can't be written to
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o500)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil { // programs that run as other users read the file, too; only they and this process have access to the folder
			err = f.Chmod(0o555)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			// The file can't be written to a second time, and takes room.
			err = errors.Join(err, os.Remove(path))
		}
	}()
	r, err := work.Get(ctx, artifact.Key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum, onWrite(progressed)), r)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != artifact.SHA256 {
		return fmt.Errorf("%w: read %d bytes with SHA-256 %s, want %d bytes with SHA-256 %s",
			objstore.ErrCorrupt, n, got, artifact.Size, artifact.SHA256)
	}
	return nil
}
