-- Takes a committed map attempt back whose segment a reduce attempt found missing or
-- corrupt. The map task is to be done again, the job maps again, and the reduce task waits.
-- ARGV: 1 reduce attempt, 2 its index, 3 its number, 4 executor,
--       5 map index, 6 number of the map attempt that the reducer read, 7 error (JSON),
--       8 limit of such losses of one map task
-- Returns {'ok', phase after it} or {'stale'}.
local attempt, index, number = ARGV[1], ARGV[2], tonumber(ARGV[3])
if owner(attempt) ~= ARGV[4] then return {'stale'} end
drop(attempt)
local done = call('HGET', DONE.m, ARGV[5])
if done and string.match(done, '^(%S+) ') == ARGV[6] then
  if failed('m', ARGV[5], 'segment', ARGV[7], ARGV[8]) then return {'ok', 'cleanup'} end
  call('HDEL', DONE.m, ARGV[5])
  call('HINCRBY', JOB, 'mapdone', -1)
  call('HINCRBY', JOB, 'epoch', 1)
  call('HSET', FAILS, 'm' .. ARGV[5] .. ':counted', 1)
  requeue('m', ARGV[5], tonumber(ARGV[6]), now())
end
requeue('r', index, number, now())
return {'ok', advance()}
