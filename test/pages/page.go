package pages

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// Where says which tests run a block.
type Where string

// The places where a block can run.
const (
	Here   Where = ""       // by the tests of this package
	Docker Where = "docker" // by test/e2e
	NotRun Where = "not run"
)

// A Page is a Markdown file with its console blocks.
type Page struct {
	Path   string
	Blocks []Block
	lines  []string
}

// A Block is a terminal session.
type Block struct {
	Where    Where
	Reason   string // why it does not run
	Commands []Command
}

// A Command is a command of a block with the output on the page.
type Command struct {
	Line int    // of the page, from 1
	Text string // without the prompt
	Want []string
}

var marker = regexp.MustCompile(`^<!-- console: (docker|not run)(?:: (.+))? -->$`)

// Read reads the page at path.
func Read(path string) (*Page, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &Page{Path: path, lines: strings.Split(string(text), "\n")}
	for i := 0; i < len(p.lines); i++ {
		if p.lines[i] != "```console" {
			continue
		}
		end := i + 1 + slices.Index(p.lines[i+1:], "```")
		if end == i {
			return nil, fmt.Errorf("%s:%d: the block does not end", path, i+1)
		}
		block, err := p.block(i, end)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		p.Blocks = append(p.Blocks, block)
		i = end
	}
	return p, nil
}

// block reads the block between the fences in lines start and end.
func (p *Page) block(start, end int) (b Block, err error) {
	if start > 0 && strings.HasPrefix(p.lines[start-1], "<!--") {
		found := marker.FindStringSubmatch(p.lines[start-1])
		if found == nil {
			return b, fmt.Errorf("line %d: %q says nothing of where the block runs", start, p.lines[start-1])
		}
		b.Where, b.Reason = Where(found[1]), found[2]
		if (b.Where == NotRun) != (b.Reason != "") {
			return b, fmt.Errorf("line %d: a block that is not run, and no other, has a reason", start)
		}
	}
	for i := start + 1; i < end; {
		text, ok := strings.CutPrefix(p.lines[i], "$ ")
		if !ok {
			return b, fmt.Errorf("line %d: %q comes before the first command", i+1, p.lines[i])
		}
		c := Command{Line: i + 1, Text: text}
		for i++; !complete(c.Text); i++ {
			if i == end {
				return b, fmt.Errorf("line %d: the command does not end", c.Line)
			}
			c.Text += "\n" + p.lines[i]
		}
		for ; i < end && !strings.HasPrefix(p.lines[i], "$ "); i++ {
			c.Want = append(c.Want, p.lines[i])
		}
		b.Commands = append(b.Commands, c)
	}
	return b, nil
}

// complete reports whether bash would run the command, rather than ask for another line.
func complete(command string) bool {
	if strings.HasSuffix(command, "\\") {
		return false
	}
	out, err := exec.Command("bash", "-n", "-c", command).CombinedOutput()
	return err == nil && len(out) == 0 // bash only warns about a here document without an end
}

// Update writes the page with the present output of its commands, given by the commands' lines,
// where the page has another output.
func (p *Page) Update(printed map[int][]string) error {
	var lines []string
	next := 0 // line of the page, from 0
	for _, block := range p.Blocks {
		for _, c := range block.Commands {
			now, ran := printed[c.Line]
			if !ran || Same(c.Want, now) {
				continue
			}
			output := c.Line + strings.Count(c.Text, "\n")
			lines = append(append(lines, p.lines[next:output]...), now...)
			next = output + len(c.Want)
		}
	}
	lines = append(lines, p.lines[next:]...)
	return os.WriteFile(p.Path, []byte(strings.Join(lines, "\n")), 0o644)
}
