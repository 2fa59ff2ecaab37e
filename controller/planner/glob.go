package planner

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/bucketmill/bucketmill/internal/pattern"
	"github.com/bucketmill/bucketmill/objstore"
)

// glob is a location with special characters: * ? [a-z] {a,b}, ** across folders, and \ before one
// of them that stands for itself. It matches objects, and folders with all objects below them; a
// glob that ends with a slash matches folders only.
//
// Its methods take keys relative to its base. It remembers the last folder that it was called with,
// because keys come in order, so only one goroutine may use it.
type glob struct {
	base     string   // what comes before the first special element: "", or a folder with its slash
	pattern  string   // the rest, without a slash at its end
	elements []string // of the pattern
	depth    int      // how many elements a match has; 0: any number
	folders  bool     // whether it matches folders only
	whole    *pattern.Pattern

	lastFolder  string
	lastMatches bool
}

// isGlob reports whether a key is a glob, unless it is the name of an object or folder.
func isGlob(key string) bool { return strings.ContainsAny(key, objstore.GlobMeta) }

func newGlob(key string) (*glob, error) {
	g := &glob{}
	g.pattern, g.folders = strings.CutSuffix(key, "/")
	g.base, g.pattern = doublestar.SplitPattern(g.pattern)
	switch g.base {
	case ".":
		g.base = ""
	case "/":
	default:
		g.base += "/"
	}
	var err error
	if g.whole, err = pattern.Compile(g.pattern); err != nil {
		return nil, err
	}
	g.elements = strings.Split(g.pattern, "/")
	g.depth = len(g.elements)
	for _, element := range g.elements {
		if anyDepth(element) {
			g.depth = 0
		}
	}
	return g, nil
}

// anyDepth reports whether an element of a pattern may match several elements of a key, or none: **
// does, and the text between braces may have slashes.
func anyDepth(element string) bool {
	return element == "**" || strings.ContainsAny(element, "{}") || !doublestar.ValidatePattern(element)
}

// prefix is the longest prefix that all matching keys share, so that as little as possible is
// listed.
func (g *glob) prefix() string {
	if i := strings.IndexAny(g.pattern, objstore.GlobMeta); i >= 0 {
		return g.base + g.pattern[:i]
	}
	return g.base + g.pattern // all special characters were escaped
}

// matches reports whether the object with a key matches, or a folder that it is in.
func (g *glob) matches(key string) bool {
	if g.depth > 0 {
		end := endOf(key, g.depth)
		if end < 0 {
			return false // not deep enough
		}
		if end == len(key) {
			return !g.folders && g.match(key)
		}
		return g.matchesFolder(key[:end])
	}
	if !g.folders && g.match(key) {
		return true
	}
	return g.matchesFolder(key[:max(0, strings.LastIndexByte(key, '/'))])
}

// matchesFolder reports whether a folder matches or, if matches may have any depth, a folder that
// it is in.
func (g *glob) matchesFolder(folder string) bool {
	if folder != g.lastFolder || folder == "" {
		g.lastFolder, g.lastMatches = folder, g.match(folder)
		for i := 0; i < len(folder) && g.depth == 0 && !g.lastMatches; i++ {
			g.lastMatches = folder[i] == '/' && g.match(folder[:i])
		}
	}
	return g.lastMatches
}

func (g *glob) match(name string) bool { return g.whole.Match(name) }

// endOf returns where the first n elements of a key end, or -1 if it has fewer.
func endOf(key string, n int) int {
	for i := range len(key) {
		if key[i] == '/' {
			if n--; n == 0 {
				return i
			}
		}
	}
	if n == 1 {
		return len(key)
	}
	return -1
}

// mayContain reports whether keys below a folder, which is given with a slash at its end, may
// match: whether its elements do, one by one.
func (g *glob) mayContain(folder string) bool {
	for i, element := range strings.Split(strings.TrimSuffix(folder, "/"), "/") {
		if i == len(g.elements) {
			break // below a folder that matches
		}
		if anyDepth(g.elements[i]) {
			return true
		}
		if !doublestar.MatchUnvalidated(g.elements[i], element) {
			return false
		}
	}
	return true
}
