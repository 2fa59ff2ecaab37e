// Package frames is the protocol between an executor and a program in a process of its own, over
// the program's standard input and output. FRAMES.md beside this file specifies it.
package frames
