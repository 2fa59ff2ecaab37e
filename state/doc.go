// Package state is the control state of jobs, tasks and attempts in Redis, and the only code that
// touches it. PROTOCOL.md beside this file is the reference: who may do what, which transition is
// legal when, and what happens after each failure. In short:
//
//   - Every change of a job or a task is one Lua script (lua/*.lua) over keys with one hash
//     tag, so it is atomic, also on Redis Cluster. Nothing is read outside a script and then
//     written.
//   - A running attempt is an entry in the job's run table. That entry is the authority:
//     only the executor named in it may renew, fail or commit the attempt, and any
//     transition that removes it (commit, fail, sweep, cancel) ends the attempt. The attempt
//     number and the time of the claim are the fencing token, so an executor that comes back
//     late is told to stop and changes nothing.
//   - Beside the entry there is a lease key with a TTL, the heartbeat. The next sweep
//     reassigns a running attempt whose lease is gone, for whatever reason.
//   - The global keys (jobs, active, ready, wake, control, news) are hints and indexes.
//     Losing one delays work until a controller's next sweep repairs it; it never loses work.
package state
