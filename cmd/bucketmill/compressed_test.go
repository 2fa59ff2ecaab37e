package main

import (
	"bytes"
	"compress/gzip"
	"testing"
)

func gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// flipped returns data with one bit changed in the byte at offset.
func flipped(data []byte, offset int) []byte {
	data = bytes.Clone(data)
	data[offset] ^= 0x10
	return data
}
