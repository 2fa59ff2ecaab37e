-- Makes the task of a running attempt claimable for a second, parallel attempt.
-- ARGV: 1 attempt, 2 side, 3 index, 4 number, 5 claimed (ms)
-- Returns {'ok', phase}, even if a second attempt is already running or waiting, or {'stale'}.
local attempt, side, index, number = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local executor, claimed = owner(attempt)
if not executor or claimed ~= ARGV[5] then return {'stale'} end
if not rival(side, index, number) and not call('ZSCORE', RETRY[side], index) then
  enqueue(side, index, number, now())
end
return {'ok', call('HGET', JOB, 'phase')}
