-- The output is whole and in place: the job is done. So is a job of which that is found though Redis
-- does not know it: one that was restored, or sent back by a failover, and is not planned yet, or one that
-- failed since it was sent back to a phase for which it has nothing any more, or was cancelled there.
-- ARGV: 1 the stage in which that was found, or 0: any; then, of such a job, for each counter: its
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
