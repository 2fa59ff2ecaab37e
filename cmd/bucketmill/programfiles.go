package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/kinds"
	"github.com/bucketmill/bucketmill/job"
)

// packFiles completes the list of local files that are sent with a program: it replaces folders by
// their files, and adds the modules that a Python program imports from its folder. It prints what
// it added to out.
func packFiles(ctx context.Context, cfg program.Config, spec *job.Spec, programPath string, out io.Writer) error {
	files, err := unfoldFolders(spec.ProgramFiles)
	if err != nil {
		return err
	}
	if kind, err := kinds.All().Find(spec.Kind); err == nil && kind.Imports != nil && programPath != "" {
		modules, err := kind.Imports(ctx, cfg, programPath)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil {
			fmt.Fprintf(out, "bucketmill: the modules that %s imports can't be found on this machine; send them with --program-file: %v\n", programPath, err)
		}
		files, modules = addModules(files, modules, filepath.Dir(programPath))
		if len(modules) > 0 {
			fmt.Fprintf(out, "  sent with the program: %s\n", firstFew(modules, 6))
		}
	}
	spec.ProgramFiles = files
	if base := filepath.Base(programPath); slices.ContainsFunc(files, func(f job.ProgramFile) bool { return f.Name == base }) {
		return usageError{fmt.Errorf("--program-file: a file has the name of the program, %s: use FILE#NAME to rename it", base)}
	}
	if err := spec.Validate(); err != nil {
		return usageError{err}
	}
	return nil
}

// addModules adds the modules of a folder whose names are not taken, and returns their names.
func addModules(files []job.ProgramFile, modules []string, folder string) (all []job.ProgramFile, added []string) {
	taken := map[string]bool{}
	for _, f := range files {
		taken[f.Name] = true
	}
	for _, name := range modules {
		if !taken[name] {
			files = append(files, job.ProgramFile{Source: filepath.Join(folder, filepath.FromSlash(name)), Name: name})
			added = append(added, name)
		}
	}
	return files, added
}

// unfoldFolders replaces local folders by the files in them. It skips the files of Python and of
// editors: __pycache__, and names that begin with a dot.
func unfoldFolders(files []job.ProgramFile) (all []job.ProgramFile, err error) {
	for _, f := range files {
		info, err := os.Stat(f.Source)
		if err != nil || !info.IsDir() {
			all = append(all, f) // a URL, or a file, whose reading reports any error
			continue
		}
		root := os.DirFS(f.Source)
		err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
			switch base := path.Base(name); {
			case err != nil:
				return err
			case entry.IsDir() && name != "." && (base == "__pycache__" || strings.HasPrefix(base, ".")):
				return fs.SkipDir
			case strings.HasPrefix(base, "."):
				return nil
			}
			if info, err := fs.Stat(root, name); err != nil || !info.Mode().IsRegular() {
				return err
			}
			all = append(all, job.ProgramFile{Source: filepath.Join(f.Source, filepath.FromSlash(name)), Name: path.Join(f.Name, name)})
			if len(all) > job.MaxProgramFiles {
				return usageError{fmt.Errorf("--program-file %s: it contains more than %d files", f.Source, job.MaxProgramFiles)}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("program file %s: %w", f.Source, err)
		}
	}
	return all, nil
}

// firstFew joins up to most names, and counts the others.
func firstFew(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
