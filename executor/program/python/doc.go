// Package python runs Python files with map_fn and reduce_fn, which PYTHON.md describes.
//
// A process of the interpreter runs the runner, a Python package in the folder runner, which loads the file and speaks
// the framed protocol. Records pass the border between Go and Python in the forms that Python reads and writes in C:
//
//   - A batch of input comes as it is, and the runner cuts it.
//   - Pairs that map_fn yields leave Python as pickled lists. Go translates them from pickle to marshal without decoding
//     them, encodes the keys as bytes that sort as the keys do, and adds up ints where combine_fn is a sum.
//   - Groups for reduce_fn come as marshalled lists of keys and values.
package python
