package s3bucket

import (
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

func TestEqualParts(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"": false, "http://127.0.0.1:9000": false, "https://s3.eu-central-1.amazonaws.com": false,
		"https://cb32e96.r2.cloudflarestorage.com": true, "https://cb32e96.eu.r2.cloudflarestorage.com/": true,
		"https://r2.cloudflarestorage.com.example.org": false,
	} {
		b, err := New("bucket", nil, objstore.S3Config{Endpoint: endpoint})
		if err != nil {
			t.Fatal(err)
		}
		if got := b.config.Parts.Equal; got != want {
			t.Errorf("%q: equal parts %t", endpoint, got)
		}
	}
}
