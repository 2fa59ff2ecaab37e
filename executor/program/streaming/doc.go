// Package streaming runs commands that read and write lines, as Hadoop Streaming does; see
// STREAMING.md.
package streaming
