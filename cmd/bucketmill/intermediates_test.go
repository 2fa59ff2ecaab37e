package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// segments returns the intermediates below a work folder.
func segments(t *testing.T, work string) (found []string) {
	for _, name := range tree(t, work) {
		if strings.HasSuffix(name, ".seg") {
			found = append(found, filepath.Join(work, name))
		}
	}
	return found
}

func TestInspectFindsDamage(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": sampleText(t, 300<<10, 5)})
	work := filepath.Join(folder, "work")
	mustRun(t, filepath.Join(folder, "out"), "wordcount", "-i", folder+"/in.txt", "-r", "3", "--maps", "2",
		"--work", work, "--keep-intermediates")
	kept := segments(t, work)
	if len(kept) != 2 {
		t.Fatalf("kept %q", tree(t, work))
	}
	segment := kept[0]
	if r := command(t.Context(), "inspect", segment); r.code != exitDone || !strings.Contains(r.stdout, "whole") || r.stderr != "" {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	damaged := map[string][]byte{
		"empty":             {},
		"one byte missing":  whole[:len(whole)-1],
		"half missing":      whole[:len(whole)/2],
		"one byte more":     append(append([]byte{}, whole...), 0),
		"first byte":        flipped(whole, 0),
		"last byte":         flipped(whole, len(whole)-1),
		"beginning missing": whole[1:],
	}
	for i := range 40 { // at places in the whole file
		offset := i * (len(whole) - 1) / 40
		damaged["byte "+strings.Repeat("I", i)] = flipped(whole, offset)
	}
	for name, data := range damaged {
		path := filepath.Join(t.TempDir(), "damaged.seg")
		writeFile(t, path, string(data))
		r := command(t.Context(), "inspect", path)
		if r.code != exitFailed || r.stdout != "" {
			t.Errorf("%s: exit code %d\n%s", name, r.code, r.stdout)
		}
		checkComplaint(t, r, "damaged.seg")
	}
}

// By default no segment files are kept. With --keep-intermediates but without --work they are
// beside the output.
func TestIntermediatesAreKeptWhenAskedFor(t *testing.T) {
	t.Parallel()
	folder := writeFiles(t, map[string]string{"in.txt": "a b\n"})
	mustRun(t, filepath.Join(folder, "one"), "wordcount", "-i", folder+"/in.txt", "--work", folder+"/work")
	checkEmpty(t, filepath.Join(folder, "work"))
	r := runJob(t, "wordcount", "-i", folder+"/in.txt", "-o", filepath.Join(folder, "two"), "--keep-intermediates")
	kept := segments(t, filepath.Join(folder, "two.intermediates"))
	if r.code != exitDone || len(kept) != 1 || !strings.Contains(r.stdout, filepath.Join(folder, "two.intermediates")) {
		t.Errorf("exit code %d, kept %q\n%s%s", r.code, kept, r.stdout, r.stderr)
	}
}
