// Package mapred is what a user's Go program imports. Packages internal/record and internal/frames
// have the encoding and the protocol behind it. All three need only the standard library.
package mapred
