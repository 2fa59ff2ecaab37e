package yamltext

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Field is an entry of a document that is a map of texts and of lists of texts.
type Field struct {
	Name   string
	Line   int
	List   bool
	Values []string // one, except of a list; none if nothing follows the colon
}

// Fields returns the entries of the only document in text, in order. An empty document has none.
func Fields(text []byte) ([]Field, error) {
	root, err := document(text)
	if err != nil || root == nil || isNull(root) {
		return nil, err
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: the document must be a map, not %s", root.Line, kind(root))
	}
	r := newReader()
	entries, err := r.pairs(root)
	if err != nil {
		return nil, err
	}
	fields := make([]Field, len(entries))
	for i, p := range entries {
		fields[i] = Field{Name: p.name, Line: p.line}
		err := r.visit(p, func(n *yaml.Node) error {
			if n.Kind != yaml.SequenceNode {
				return r.append(&fields[i], n, false)
			}
			fields[i].List = true
			for _, item := range n.Content {
				if err := r.enter(item, func(n *yaml.Node) error { return r.append(&fields[i], n, true) }); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// append adds a scalar to the values of a field.
func (r *reader) append(f *Field, n *yaml.Node, item bool) error {
	switch {
	case n.Kind != yaml.ScalarNode:
		return fmt.Errorf("line %d: %s must be text, or a list of texts, not %s", n.Line, f.Name, kind(n))
	case isNull(n) && n.Value == "" && !item:
		return nil
	case isNull(n):
		return fmt.Errorf("line %d: %s is null: write '' for an empty text, or the word in quotes", n.Line, f.Name)
	}
	text, err := scalarText(n)
	f.Values = append(f.Values, text)
	return err
}
