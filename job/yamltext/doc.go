// Package yamltext reads YAML whose scalars keep their text.
//
// YAML guesses types: 2026-11-01 is a time, 01234 the number 668, 1.10 is 1.1 and 1_000 is 1000.
// Where a program wants a text, all of that changes what the user wrote. So this package asks the
// other way round: what is wanted says how a scalar is read.
//
//   - Where a text is wanted, the scalar's own text is taken, quoted or not: 2026-11-01, 01234, 1.10,
//     1e3, 0x10, yes, on. Nothing at all (as in "name:") is an empty text in a field of a struct. The
//     words null, Null, NULL and ~ are refused, since they may mean the word or nothing; so is nothing
//     at all in a list or a map.
//   - A whole number is decimal digits, with a minus or not: 1_000, 0x10, 010 and 1e3 are refused.
//   - A boolean is true or false.
//
// One document is read. Keys that are given twice are refused, and so are tags such as !!binary that
// would give a scalar another meaning. Anchors, aliases and merge keys (<<) work; what aliases repeat
// is bounded, so that a small text can't become much work.
package yamltext
