-- Ends an attempt without result and puts its task back, or fails the job when the task has
-- failed too often in that way.
-- ARGV: 1 attempt, 2 side, 3 index, 4 number, 5 executor, 6 class ('user', 'infra', 'lost',
--       or 'released': handed back unfinished, which counts as no failure),
--       7 error (JSON), 8 limit of failures of that class, 9 wait before the next attempt (ms)
-- Returns {'ok', phase after it} or {'stale'}.
local attempt, side, index, number = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if owner(attempt) ~= ARGV[5] then return {'stale'} end
drop(attempt)
if ARGV[6] ~= 'released' and failed(side, index, ARGV[6], ARGV[7], ARGV[8]) then
  return {'ok', 'cleanup'}
end
requeue(side, index, number, now() + tonumber(ARGV[9]))
return {'ok', call('HGET', JOB, 'phase')}
