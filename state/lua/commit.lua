-- Commits an attempt: the first to come, and only while it runs by the executor that says
-- so. Other attempts at the task end. Asking again after success is answered 'ok' again.
-- ARGV: 1 attempt, 2 side, 3 index, 4 number, 5 executor, 6 manifest,
--       then for each counter: its name, amount
-- Returns {'ok', phase after it} or {'stale'}.
local attempt, side, index, number, executor = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local won = call('HGET', DONE[side], index)
if won then
  local n, who = string.match(won, '^(%S+) (%S+) ')
  if n == number and who == executor then return {'ok', call('HGET', JOB, 'phase')} end
  return {'stale'}
end
local who, entry = owner(attempt)
if who ~= executor then return {'stale'} end
local started = string.match(entry, '^%S+ (%S+) ')
call('HSET', DONE[side], index,
  number .. ' ' .. executor .. ' ' .. started .. ' ' .. ms(now()) .. ' ' .. ARGV[6])
drop(attempt)
for n = 1, highest(side, index) do
  local other = side .. index .. '.' .. n
  if call('HEXISTS', RUN, other) == 1 then drop(other) end
end
call('ZREM', RETRY[side], index)
call('HINCRBY', JOB, COUNT[side], 1)
-- A task whose output was lost has been counted already: it is the same input, so the sums
-- stay. An overflow must not undo half a commit: that counter stays as it is.
if call('HEXISTS', FAILS, side .. index .. ':counted') == 0 then
  for i = 7, #ARGV, 2 do redis.pcall('HINCRBY', COUNTERS, ARGV[i], ARGV[i + 1]) end
end
return {'ok', advance()}
