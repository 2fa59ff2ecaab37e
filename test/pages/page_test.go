package pages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sample = "# A page\n\n```console\n$ echo one\none\n$ printf 'a\nb'\na\nb\n$ cat <<END\n> x\nEND\n> x\n```\n\n" +
	"<!-- console: not run: it takes an hour -->\n```console\n$ sleep \\\n    3600\n```\n```sh\necho not a session\n```\n"

func writePage(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadPage(t *testing.T) {
	t.Parallel()
	page := mustRead(t, writePage(t, sample))
	if len(page.Blocks) != 2 || page.Blocks[0].Where != Here || page.Blocks[1].Where != NotRun || page.Blocks[1].Reason != "it takes an hour" {
		t.Fatalf("blocks: %+v", page.Blocks)
	}
	want := []Command{
		{Line: 4, Text: "echo one", Want: []string{"one"}},
		{Line: 6, Text: "printf 'a\nb'", Want: []string{"a", "b"}},
		{Line: 10, Text: "cat <<END\n> x\nEND", Want: []string{"> x"}},
	}
	got := page.Blocks[0].Commands
	for i, c := range want {
		if i >= len(got) || got[i].Line != c.Line || got[i].Text != c.Text || strings.Join(got[i].Want, "\n") != strings.Join(c.Want, "\n") {
			t.Fatalf("commands: %+v", got)
		}
	}
	if c := page.Blocks[1].Commands; len(c) != 1 || c[0].Text != "sleep \\\n    3600" {
		t.Errorf("commands: %+v", c)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a block without end":          "```console\n$ true\n",
		"output before a command":      "```console\nhello\n```\n",
		"a command without end":        "```console\n$ echo 'a\n```\n",
		"an unknown place":             "<!-- console: elsewhere -->\n```console\n$ true\n```\n",
		"no reason for not running it": "<!-- console: not run -->\n```console\n$ true\n```\n",
	} {
		if page, err := Read(writePage(t, text)); err == nil {
			t.Errorf("%s is taken: %+v", name, page.Blocks)
		}
	}
}

func TestUpdatePage(t *testing.T) {
	t.Parallel()
	path := writePage(t, sample)
	page := mustRead(t, path)
	if err := page.Update(map[int][]string{4: {"two", "lines"}, 6: {"a", "b"}, 10: nil}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(strings.Replace(sample, "\none\n", "\ntwo\nlines\n", 1), "END\n> x\n```", "END\n```", 1)
	if string(got) != want {
		t.Errorf("the page is now\n%s\nwant\n%s", got, want)
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a\nb", false},
		{"", "a", false},
		{"job 01m8g8fk67kvy1sh9tm3nh98vq in 77ms", "job 01m8g8fmd9v84s8vn0yvp1ghhs in 1m2.5s", true},
		{"job 01m8g8fk67kvy1sh9tm3nh98vq in 77ms", "job k-e4c119 in 77ms", false},
		{"11 KiB in 1 object, 202 records, 144 KiB/s", "11 KiB in 1 object, 202 records, 2.1 MiB/s", true},
		{"11 KiB in 1 object, 202 records, 144 KiB/s", "11 KiB in 1 object, 203 records, 144 KiB/s", false},
		{"11 KiB in 1 object, 202 records, 144 KiB/s", "12 KiB in 1 object, 202 records, 144 KiB/s", false},
		{"2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z", false},
		{"a\n…\nz", "a\nz", true},
		{"a\n…\nz", "a\nb\nc\nz", true},
		{"a\n…", "a\nb", true},
		{"…", "a", true},
		{"a\n…\nm\n…\nz", "a\nb\nm\nn\nz", true},
		{"a\n…\nz", "a\nb", false},
		{"a\n…\nz", "b\nz", false},
		{"a\n…\na", "a", false},
	} {
		if got := Same(settled(c.want), settled(c.got)); got != c.same {
			t.Errorf("%q and %q: same is %v", c.want, c.got, got)
		}
	}
}

// A session keeps the effects of its commands, and reports why a command failed.
func TestSession(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	session, err := NewSession(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		command, want, err string
	}{
		{"cd /; word=kept", "", ""},
		{`echo "$word in $PWD"; cat`, "kept in /", ""},
		{"echo seen >&2", "seen", ""},
		{"echo '   0.2s  map   0%  0/1 tasks'; echo '   0.2s   of it'", "   0.2s   of it", ""},
		{"cd " + folder + "; pwd", pageFolder, ""},
		{"echo " + pageAddress, pageAddress, ""},
		{"echo before; false", "before", "exit status 1"},
		{"nonesuch 2>/dev/null", "", "exit status 127"},
	} {
		got, err := session.Run(t.Context(), c.command)
		if text := strings.Join(got, "\n"); text != c.want {
			t.Errorf("%s: prints %q, want %q", c.command, text, c.want)
		}
		if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
			t.Errorf("%s: error %v, want %q", c.command, err, c.err)
		}
	}
}
