package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	span       = regexp.MustCompile("`([^`\n]+)`")
	testName   = regexp.MustCompile(`^(?:Test|Fuzz|Benchmark)[A-Z]\w*$`)
	pathName   = regexp.MustCompile(`^[\w.-]+(?:/[\w.-]+)*/?$`)
	fileName   = regexp.MustCompile(`^[\w-]+\.(?:go|lua)$`)
	identifier = regexp.MustCompile(`^([a-z]\w*)\.([A-Z]\w*(?:\.[A-Z]\w*)?)$`)
)

// TestNames checks that each path, test and exported identifier that a page names in `code` exists.
func TestNames(t *testing.T) {
	t.Parallel()
	known := goNames(t)
	folders, files := topFolders(t), map[string]bool{}
	for _, path := range listed(t, "*") {
		files[filepath.Base(path)] = true
	}
	checked := 0
	for _, page := range listed(t, "*.md") {
		if page == "CHANGELOG.md" { // it also names what was removed
			continue
		}
		for _, name := range spans(t, page) {
			first, _, nested := strings.Cut(name, "/")
			switch {
			case testName.MatchString(name):
				if !known.functions[name] {
					t.Errorf("%s names the test %s, which does not exist", page, name)
				}
			case nested && folders[first] && pathName.MatchString(name):
				if strings.Contains(name, "NAME") {
					continue // the reader's
				}
				if _, err := os.Stat(filepath.Join(repository, name)); err != nil {
					t.Errorf("%s names the file %s, which does not exist", page, name)
				}
			case fileName.MatchString(name):
				if !files[name] {
					t.Errorf("%s names the file %s, which does not exist in any folder", page, name)
				}
			case identifier.MatchString(name):
				m := identifier.FindStringSubmatch(name)
				if !known.packages[m[1]] {
					continue // another project's
				}
				if !known.exported[name] {
					t.Errorf("%s names %s, which does not exist", page, name)
				}
			default:
				continue
			}
			checked++
		}
	}
	if checked < 100 {
		t.Errorf("only %d names were found", checked)
	}
}

// spans returns the code spans of a page's prose.
func spans(t *testing.T, page string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, page))
	if err != nil {
		t.Fatal(err)
	}
	fenced := false
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if fenced {
			continue
		}
		for _, found := range span.FindAllStringSubmatch(line, -1) {
			names = append(names, found[1])
		}
	}
	return names
}

// names are the Go identifiers of the project.
type names struct {
	packages  map[string]bool // names of its packages
	functions map[string]bool // every function and method, tests too
	exported  map[string]bool // "pkg.Name" and "pkg.Type.Name"
}

func goNames(t *testing.T) names {
	t.Helper()
	known := names{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, path := range listed(t, "*.go") {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(repository, path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		pkg := file.Name.Name
		known.packages[pkg] = true
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				known.functions[d.Name.Name] = true
				known.exported[pkg+"."+receiver(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					known.declare(pkg, s)
				}
			}
		}
	}
	return known
}

// receiver returns the name of a method's type with a dot behind it; "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	of := f.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}

// declare adds a type with its fields and interface methods, or constants or variables.
func (n names) declare(pkg string, s ast.Spec) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			n.exported[pkg+"."+name.Name] = true
		}
	case *ast.TypeSpec:
		n.exported[pkg+"."+s.Name.Name] = true
		var fields *ast.FieldList
		switch of := s.Type.(type) {
		case *ast.StructType:
			fields = of.Fields
		case *ast.InterfaceType:
			fields = of.Methods
		default:
			return
		}
		for _, f := range fields.List {
			for _, name := range f.Names {
				n.exported[pkg+"."+s.Name.Name+"."+name.Name] = true
			}
		}
	}
}

// topFolders returns the folders at the top of the repository.
func topFolders(t *testing.T) map[string]bool {
	t.Helper()
	folders := map[string]bool{}
	for _, path := range listed(t, "*") {
		if folder, _, nested := strings.Cut(path, "/"); nested {
			folders[folder] = true
		}
	}
	return folders
}

// listed returns the existing files of the repository that match a pattern of git.
func listed(t *testing.T, pattern string) (paths []string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", pattern)
	list.Dir = repository
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(names)) {
		if _, err := os.Stat(filepath.Join(repository, path)); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}
