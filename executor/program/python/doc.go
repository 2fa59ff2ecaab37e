// Package python runs Python files with map_fn and reduce_fn, which PYTHON.md describes.
//
// A process of the interpreter runs the runner, a Python package in the folder runner, which loads
// the file and speaks the framed protocol. Records pass the border between Go and Python in the
// forms that Python reads and writes in C, since a loop in Python over bytes would take most of the
// time of a job:
//
//   - A batch of input comes as it is, and the runner cuts it.
//   - Pairs that map_fn gives leave Python as pickled lists. Go translates them from pickle to
//     marshal without decoding them, encodes the keys as bytes that sort as the keys do, and adds
//     up ints if combine_fn is a sum. Pairs with other than plain types are encoded in Python, to
//     the same bytes.
//   - Groups for reduce_fn come as marshalled lists of keys and values.
//
// Where to find what:
//
//	interpreter.go  finds a Python, checks its version, and compiles the runner once
//	modules.go      finds the modules that a file imports from its folder
//	pairs.go        decodes PAIRS frames, with pickle.go (translation), key.go (keys) and marshal.go
//	grouper.go      writes GROUPS and RUN frames
//	runner          the Python side; its __init__.py lists the modules
//
// Pickle and marshal differ between versions of Python only in what the runner does not use;
// TestVersions holds that for all versions on the machine.
package python
