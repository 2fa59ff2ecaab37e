-- Ends an attempt without a result and makes its task ready again, or fails the job if the task has
-- failed too often in this way.
-- ARGV: 1 attempt, 2 side, 3 index, 4 number, 5 executor, 6 claimed (ms), 7 class ('user', 'infra',
--       'lost', or 'released': handed back unfinished, which does not count as a failure),
--       8 error (JSON), 9 limit of failures of that class, 10 wait before the next attempt (ms),
--       11 how long after that this executor leaves the task to others (ms)
-- Returns {'ok', phase after it} or {'stale'}.
local attempt, side, index, number = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if not holds(attempt, ARGV[5], ARGV[6]) then return {'stale'} end
void(attempt)
local at = now() + tonumber(ARGV[10])
if ARGV[7] ~= 'released' then
  if failed(side, index, ARGV[7], ARGV[8], ARGV[9]) then return {'ok', 'cleanup'} end
  call('HSET', FAILS, side .. index .. ':shun', ARGV[5] .. ' ' .. ms(at + tonumber(ARGV[11])))
end
requeue(side, index, number, at)
return {'ok', call('HGET', JOB, 'phase')}
