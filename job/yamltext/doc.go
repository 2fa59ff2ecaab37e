// Package yamltext reads YAML whose scalars keep their text.
//
// YAML guesses types: 2026-11-01 is a time, 01234 the number 668, 1.10 is 1.1 and 1_000 is 1000.
// Where a program wants a text, the guess changes what the user wrote. In this package the wanted
// type decides how a scalar is read:
//
//   - A text is the scalar's own text, quoted or not: 2026-11-01, 01234, 1.10, 1e3, 0x10, yes, on. No
//     value (as in "name:") is an empty text in a field of a struct, and refused in a list or a map. The
//     words null, Null, NULL and ~ are refused: they may mean the word or no value.
//   - A whole number is decimal digits, perhaps after a minus: 1_000, 0x10, 010 and 1e3 are refused.
//   - A boolean is true or false.
//
// The text must be one document. Keys that are given twice are refused, and so are tags such as
// !!binary, which give a scalar another meaning. Anchors, aliases and merge keys (<<) work. The
// size of what aliases repeat is limited, so that a small text can't cause much work.
package yamltext
