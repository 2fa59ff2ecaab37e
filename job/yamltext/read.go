package yamltext

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxRepeated limits what aliases and merge keys repeat: bytes of text, plus 16 for every node.
const maxRepeated = 1 << 20

// maxText is the longest document, in bytes: the library takes a second for a million bytes of the
// worst forms.
const maxText = 256 << 10

// maxNodes is the highest number of keys and values in a document, all lists and maps together.
const maxNodes = 20_000

// reader walks the nodes of one document.
type reader struct {
	repeated int                 // counted as maxRepeated says
	within   int                 // how many aliases and merge keys enclose the current node
	open     map[*yaml.Node]bool // the nodes that these refer to
}

func newReader() *reader { return &reader{open: map[*yaml.Node]bool{}} }

// document returns the root of the only document in text; nil if there is none.
func document(text []byte) (*yaml.Node, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("it has %d bytes of YAML; at most %d are taken", len(text), maxText)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	err := d.Decode(&first)
	if errors.Is(err, io.EOF) || err == nil && len(first.Content) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, plain(err)
	}
	switch err := d.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("line %d: a second document begins; only one is taken", second.Line)
	case !errors.Is(err, io.EOF):
		return nil, plain(err)
	}
	if left := maxNodes; !countDown(&first, &left) {
		return nil, fmt.Errorf("it has more than %d keys and values in all", maxNodes)
	}
	return first.Content[0], nil
}

// countDown subtracts the nodes below n from left, and reports whether left stays positive.
func countDown(n *yaml.Node, left *int) bool {
	if *left -= len(n.Content); *left < 0 {
		return false
	}
	for _, c := range n.Content {
		if !countDown(c, left) {
			return false
		}
	}
	return true
}

// plain returns an error of the library as an error about the form of the YAML.
func plain(err error) error {
	return fmt.Errorf("it is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
}

// enter calls visit with n or, if n is an alias, with the node that n refers to.
func (r *reader) enter(n *yaml.Node, visit func(*yaml.Node) error) error {
	if n.Kind == yaml.AliasNode {
		target := n.Alias
		if r.open[target] {
			return fmt.Errorf("line %d: the alias *%.40s refers to a value that contains the alias", n.Line, n.Value)
		}
		r.open[target] = true
		r.within++
		defer func() {
			r.within--
			delete(r.open, target)
		}()
		n = target
	}
	if err := r.count(n); err != nil {
		return err
	}
	return visit(n)
}

// count enforces maxRepeated.
func (r *reader) count(n *yaml.Node) error {
	if r.within == 0 {
		return nil
	}
	if r.repeated += len(n.Value) + 16; r.repeated > maxRepeated {
		return fmt.Errorf("line %d: aliases repeat more than %d bytes", n.Line, maxRepeated)
	}
	return nil
}

// pair is one entry of a mapping.
type pair struct {
	name  string
	line  int
	value *yaml.Node
	// merged reports that the entry comes from a merge key.
	merged bool
}

// pairs returns the entries of a mapping, followed by those of its merge keys. The mapping's own
// entry wins over a merged entry of the same name, and the first merged entry over later ones.
func (r *reader) pairs(n *yaml.Node) ([]pair, error) {
	var (
		entries []pair
		merges  []*yaml.Node
	)
	lines := map[string]int{} // of each name
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		name, err := keyText(key)
		if err != nil {
			return nil, err
		}
		if line, twice := lines[name]; twice {
			return nil, fmt.Errorf("line %d: %.80s is given twice, first in line %d", n.Content[i].Line, name, line)
		}
		lines[name] = n.Content[i].Line
		entries = append(entries, pair{name: name, line: n.Content[i].Line, value: value})
	}
	merge := func(p pair) {
		if _, there := lines[p.name]; !there {
			lines[p.name] = p.line
			p.merged = true
			entries = append(entries, p)
		}
	}
	for _, value := range merges {
		if err := r.merged(value, true, merge); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// merged yields the entries of a merge key: those of one mapping, or of a list of mappings.
func (r *reader) merged(value *yaml.Node, lists bool, yield func(pair)) error {
	return r.enter(value, func(n *yaml.Node) error {
		switch {
		case n.Kind == yaml.MappingNode:
			r.within++
			defer func() { r.within-- }()
			entries, err := r.pairs(n)
			if err != nil {
				return err
			}
			for _, p := range entries {
				if err := r.count(p.value); err != nil {
					return err
				}
				yield(p)
			}
			return nil
		case n.Kind == yaml.SequenceNode && lists:
			for _, item := range n.Content {
				if err := r.merged(item, false, yield); err != nil {
					return err
				}
			}
			return nil
		}
		return fmt.Errorf("line %d: a merge key (<<) takes a map, or a list of maps", n.Line)
	})
}

// visit calls visit with the entry's value.
func (r *reader) visit(p pair, visit func(*yaml.Node) error) error {
	if p.merged {
		r.within++
		defer func() { r.within-- }()
	}
	return r.enter(p.value, visit)
}

// keyText returns the text of a mapping's key.
func keyText(key *yaml.Node) (string, error) {
	if key.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("line %d: a key must be text, not %s", key.Line, kind(key))
	}
	if isNull(key) {
		return "", fmt.Errorf("line %d: a key is missing, or null: put it in quotes if it is meant to be that word", key.Line)
	}
	return scalarText(key)
}

// scalarText returns the text of a scalar as the user wrote it.
func scalarText(n *yaml.Node) (string, error) {
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge":
		return n.Value, nil
	}
	return "", fmt.Errorf("line %d: the tag %.40s is not taken: write the text itself", n.Line, n.ShortTag())
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kind names the kind of a node, for errors.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%.40q", n.Value)
}
