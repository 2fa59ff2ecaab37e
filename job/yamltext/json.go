package yamltext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// JSON returns the only document in text as JSON that package encoding/json reads into a T, a
// struct. It refuses names that are not fields of T. An empty document is the empty object.
//
// A type with its own UnmarshalJSON gets a JSON string of the scalar's text, or, if the type is a
// struct and the document has a map there, an object of its fields.
func JSON[T any](text []byte) ([]byte, error) {
	root, err := document(text)
	if err != nil {
		return nil, err
	}
	if root == nil || isNull(root) {
		return []byte("{}"), nil
	}
	var out bytes.Buffer
	w := writer{reader: newReader(), out: &out}
	err = w.value(root, reflect.TypeFor[T](), place{})
	return out.Bytes(), err
}

// writer writes nodes as JSON for given types.
type writer struct {
	*reader
	out *bytes.Buffer
}

// place is a value's place in the document.
type place struct {
	name string // "params.day"; "" is the document itself
	item bool   // of a list or a map: it can't be left out
}

func (p place) String() string {
	if p.name == "" {
		return "the document"
	}
	return p.name
}

func (p place) field(name string) place { return place{name: strings.TrimPrefix(p.name+"."+name, ".")} }

func (w writer) value(n *yaml.Node, t reflect.Type, at place) error {
	return w.enter(n, func(n *yaml.Node) error { return w.node(n, t, at) })
}

var (
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
)

func (w writer) node(n *yaml.Node, t reflect.Type, at place) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	own := reflect.PointerTo(t).Implements(unmarshaler)
	scalar := n.Kind == yaml.ScalarNode
	compound := t.Kind() == reflect.Struct || t.Kind() == reflect.Map || t.Kind() == reflect.Slice
	switch {
	case isNull(n):
		return w.null(n, t, at)
	case scalar && (t.Kind() == reflect.String || own && t.Kind() != reflect.Map && t.Kind() != reflect.Slice):
		return w.text(n)
	case scalar && t.Kind() == reflect.Bool && n.ShortTag() == "!!bool":
		fmt.Fprint(w.out, strings.EqualFold(n.Value, "true"))
		return nil
	case scalar && isInt(t) && !own && n.ShortTag() == "!!int":
		if !wholeNumber.MatchString(n.Value) {
			return fmt.Errorf("line %d: %s is %.40s: write a whole number in plain digits", n.Line, at, n.Value)
		}
		w.out.WriteString(n.Value)
		return nil
	case compound && n.Kind == yaml.MappingNode && t.Kind() != reflect.Slice:
		return w.object(n, t, at)
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		return w.list(n, t, at)
	}
	return fmt.Errorf("line %d: %s must be %s, not %s", n.Line, at, Wanted(t), kind(n))
}

// null writes null for a field that has no value.
func (w writer) null(n *yaml.Node, t reflect.Type, at place) error {
	if at.item && n.Value == "" {
		return fmt.Errorf("line %d: %s has no value: write '' for an empty text", n.Line, at)
	}
	if at.item || t.Kind() == reflect.String && n.Value != "" {
		return fmt.Errorf("line %d: %s is %s: write '' for an empty text, or '%[3]s' in quotes for the word", n.Line, at, n.Value)
	}
	w.out.WriteString("null")
	return nil
}

func (w writer) text(n *yaml.Node) error {
	text, err := scalarText(n)
	if err != nil {
		return err
	}
	return w.quote(text)
}

func (w writer) quote(text string) error {
	quoted, err := json.Marshal(text)
	w.out.Write(quoted)
	return err
}

func (w writer) object(n *yaml.Node, t reflect.Type, at place) error {
	entries, err := w.pairs(n)
	if err != nil {
		return err
	}
	w.out.WriteByte('{')
	for i, p := range entries {
		if i > 0 {
			w.out.WriteByte(',')
		}
		of, known := Member(t, p.name)
		if !known {
			return fmt.Errorf("line %d: %w", p.line, Unknown(t, strings.TrimPrefix(at.name+".", "."), p.name))
		}
		if err := w.quote(p.name); err != nil {
			return err
		}
		w.out.WriteByte(':')
		inside := at.field(p.name)
		inside.item = t.Kind() == reflect.Map
		if err := w.visit(p, func(n *yaml.Node) error { return w.node(n, of, inside) }); err != nil {
			return err
		}
	}
	w.out.WriteByte('}')
	return nil
}

func (w writer) list(n *yaml.Node, t reflect.Type, at place) error {
	w.out.WriteByte('[')
	for i, item := range n.Content {
		if i > 0 {
			w.out.WriteByte(',')
		}
		if err := w.value(item, t.Elem(), place{name: fmt.Sprintf("%s[%d]", at.name, i), item: true}); err != nil {
			return err
		}
	}
	w.out.WriteByte(']')
	return nil
}

// Member returns the type of a struct's or a map's member by its name in JSON; false if it has no
// such member. Unlike package encoding/json it distinguishes upper and lower case.
func Member(t reflect.Type, name string) (reflect.Type, bool) {
	if t.Kind() == reflect.Map {
		return t.Elem(), true
	}
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && !f.Anonymous && tag != "-" && name == tag {
			return f.Type, true
		}
	}
	return nil, false
}

func isInt(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 }

// Wanted describes a value of a type, for errors.
func Wanted(t reflect.Type) string {
	own := reflect.PointerTo(t).Implements(unmarshaler)
	switch {
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Struct && own:
		return "text or a map"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return "a list of texts"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "a map"
	case t.Kind() == reflect.String, own:
		return "text"
	}
	return "a whole number"
}
