package testservices

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// A MinIOServer is a real MinIO with one drive in a temporary folder.
type MinIOServer struct {
	*server
	Endpoint  string // http://127.0.0.1:PORT
	AccessKey string // of the root user, like SecretKey; both are random
	SecretKey string
}

var sharedMinIO = sync.OnceValues(func() (*MinIOServer, error) { return openMinIO(true) })

// MinIO returns the MinIO that the tests of this binary share.
func MinIO(t testing.TB) *MinIOServer {
	t.Helper()
	s, err := sharedMinIO()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// NewMinIO starts a MinIO for this test alone.
func NewMinIO(t testing.TB) *MinIOServer {
	t.Helper()
	s, err := openMinIO(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openMinIO(shared bool) (*MinIOServer, error) {
	binary, err := findBinary("minio", "BUCKETMILL_MINIO_SERVER")
	if err != nil {
		return nil, err
	}
	accessKey, secretKey := rand.Text(), rand.Text()
	s := &server{
		name:   "minio",
		shared: shared,
		command: func(addr, dir string) *exec.Cmd {
			cmd := exec.Command(binary, "server", "--quiet", "--address", addr, filepath.Join(dir, driveName))
			// A clean environment: the server would obey the caller's MINIO_… variables, and it
			// keeps its certificates below HOME.
			cmd.Env = []string{
				"HOME=" + dir,
				"PATH=" + os.Getenv("PATH"),
				"MINIO_ROOT_USER=" + accessKey,
				"MINIO_ROOT_PASSWORD=" + secretKey,
				"MINIO_BROWSER=off",
				"MINIO_UPDATE=off",
			}
			return cmd
		},
		// Only this process knows the keys, so only our server accepts them.
		ready: func(ctx context.Context, addr string, _ int) error {
			client, err := minioClient(addr, accessKey, secretKey)
			if err != nil {
				return err
			}
			_, err = client.ListBuckets(ctx)
			return err
		},
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	return &MinIOServer{server: s, Endpoint: "http://" + s.addr, AccessKey: accessKey, SecretKey: secretKey}, nil
}

// Drive returns the folder in which the server keeps objects, for tests that damage objects.
func (s *MinIOServer) Drive() string { return filepath.Join(s.dir, driveName) }

// driveName is the drive's folder in the server's folder.
const driveName = "drive"

// Bucket creates an empty bucket, which ends with the server, and returns its name.
func (s *MinIOServer) Bucket(t testing.TB) string {
	t.Helper()
	client, err := minioClient(s.addr, s.AccessKey, s.SecretKey)
	if err != nil {
		t.Fatal(err)
	}
	name := "test-" + strings.ToLower(rand.Text())
	if err := client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
		t.Fatalf("make bucket %s: %v", name, err)
	}
	return name
}

func minioClient(addr, accessKey, secretKey string) (*minio.Client, error) {
	return minio.New(addr, &minio.Options{
		Creds:      credentials.NewStaticV4(accessKey, secretKey, ""),
		MaxRetries: 1,
	})
}
