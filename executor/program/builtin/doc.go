// Package builtin has the programs that come with Bucketmill. They run in the executor's process.
package builtin
