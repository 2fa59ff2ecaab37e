-- Takes back a committed map attempt whose segment a reduce attempt found missing or corrupt. The
-- map task must be done again, the job maps again, and the reduce task waits.
-- ARGV: 1 reduce attempt, 2 its index, 3 its number, 4 executor, 5 claimed (ms),
--       6 map index, 7 number and 8 claimed (ms) of the map attempt that the reducer read,
--       9 error (JSON), 10 limit of such losses of one map task
-- Returns {'ok', phase after it} or {'stale'}.
local attempt, index, number = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not holds(attempt, ARGV[4], ARGV[5]) then return {'stale'} end
void(attempt)
local map = ARGV[6]
local done = call('HGET', DONE.m, map)
if done then
  local n, claimed, ended = string.match(done, '^(%S+) %S+ (%S+) (%S+) ')
  if n == ARGV[7] and claimed == ARGV[8] then
    if failed('m', map, 'segment', ARGV[9], ARGV[10]) then return {'ok', 'cleanup'} end
    call('HDEL', DONE.m, map)
    call('HINCRBY', JOB, 'mapdone', -1)
    call('HINCRBY', JOB, SPENT.m, tonumber(claimed) - tonumber(ended))
    call('HSET', FAILS, 'm' .. map .. ':counted', 1)
    requeue('m', map, tonumber(n), now())
  end
end
requeue('r', index, number, now())
return {'ok', advance()}
