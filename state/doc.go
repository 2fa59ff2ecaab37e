// Package state is the control state of jobs, tasks and attempts in Redis, and the only
// code that touches it. PROTOCOL.md beside this file is the reference: who may do what,
// which transition is legal when, and what happens at each failure. In short:
//
//   - Every change of a job or a task is one Lua script (lua/*.lua) over keys of one hash
//     tag, so it is atomic, also on Redis Cluster. Nothing is read and then written
//     outside a script.
//   - A running attempt is an entry in the job's run table. That entry is the authority:
//     only the executor named in it may renew, fail or commit the attempt, and whoever
//     removes it (commit, fail, sweep, cancel) ends the attempt. The attempt number and the
//     time of its claim are the fencing token, so an executor that comes back late is told so and changes nothing.
//   - Beside it stands a lease key with a TTL, the heartbeat. A running attempt whose lease
//     is gone is given away by the next sweep, whatever the reason the key is gone for.
//   - The global keys (jobs, active, ready, wake, control, news) are hints and indexes. Losing one
//     delays work until a controller's next sweep puts it right; it never loses work.
package state
