package api

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxYAMLKeys is how many keys a mapping may have. Reading one takes time with the square of
// them.
const maxYAMLKeys = 1000

// checkYAML refuses what would make much work of little text: aliases, each of which may stand
// for half of the document (a spec has no use for them), and very wide mappings. JSON, and text
// that is no YAML, is left to the parser of specs.
func checkYAML(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return nil
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil // said better, and again, by the parser
	}
	return checkNode(&root)
}

// checkNode is recursive: the parser bounds the depth.
func checkNode(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return fmt.Errorf("line %d: aliases (*%.40s) are not taken", n.Line, n.Value)
	case n.Kind == yaml.MappingNode && len(n.Content) > 2*maxYAMLKeys:
		return fmt.Errorf("line %d: a mapping has %d keys; at most %d are taken", n.Line, len(n.Content)/2, maxYAMLKeys)
	}
	for _, child := range n.Content {
		if err := checkNode(child); err != nil {
			return err
		}
	}
	return nil
}
