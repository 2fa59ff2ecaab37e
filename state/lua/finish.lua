-- Completes a job: its output is complete and in place. This may also be found of a job that Redis
-- does not know to be published: one that was restored, or sent back by a failover, and is not planned
-- yet; or one that failed, or was cancelled, after a failover had sent it back to a phase for which it
-- no longer has the data.
-- ARGV: 1 the stage in which this was found, or 0: any; then, for such a job, for each counter: its
--       name, its sum
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
local found = phase == 'plan'
  or phase == 'cleanup' and call('HGET', JOB, 'state') ~= 'COMPLETED' and call('HEXISTS', JOB, 'publishat') == 0
if not current(ARGV[1]) or (phase ~= 'publish' and not (found and #ARGV > 1)) then return {'illegal', phase} end
for i = 2, #ARGV, 2 do call('HSET', COUNTERS, ARGV[i], ARGV[i + 1]) end
call('HSET', JOB, 'state', 'COMPLETED', 'ended', ms(now()))
enter('cleanup')
call('HDEL', JOB, 'error')
event('COMPLETED', '')
return {'ok'}
