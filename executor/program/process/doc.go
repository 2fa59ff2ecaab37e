// Package process starts the processes of user programs, and ends them and all that they have
// started.
//
// # What a process gets
//
// A scratch folder as its working folder, HOME and TMPDIR; PATH; a C.UTF-8 locale; and what
// [Options] adds. It gets nothing else of our environment, so neither credentials nor settings.
// With a [User] it runs as another user: Launch gives up rights from within.
//
// # How it ends
//
// A process leads a process group and a session. The whole group is killed when the attempt ends in
// any way. The kernel kills the leader when our process dies; a watcher ends what the leader had
// started ([Scratch.Watch]). What has left the group is known by its HOME ([KillStrays]).
package process
