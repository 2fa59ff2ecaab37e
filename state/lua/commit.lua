-- Commits an attempt if it still runs under the named claim, and no other attempt at its task is
-- committed. Other attempts at the task end. Committing again after success is 'ok' again.
-- ARGV: 1 attempt, 2 side, 3 index, 4 number, 5 executor, 6 claimed (ms), 7 manifest,
--       then for each counter: its name, amount
-- Returns {'ok', phase after it, number of other attempts that ended}, or {'stale'}, or {'stale', phase}
-- if this ended the job: the attempt has skipped more records than the job allows.
local attempt, side, index, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local executor, claimed = ARGV[5], ARGV[6]
local won = call('HGET', DONE[side], index)
if won then
  local n, who, at = string.match(won, '^(%S+) (%S+) (%S+) ')
  if n == number and who == executor and at == claimed then return {'ok', call('HGET', JOB, 'phase'), 0} end
  return {'stale'}
end
if not holds(attempt, executor, claimed) then return {'stale'} end

-- The counter skipped_records:TASK belongs to the task, not to the attempt: a task that is done again
-- replaces its earlier value, even by none.
local mine = 'skipped_records:' .. side .. index
local before, skipped = tonumber(call('HGET', COUNTERS, mine) or '0'), 0
for i = 8, #ARGV, 2 do
  if ARGV[i] == mine then skipped = tonumber(ARGV[i + 1]) end
end
if skipped > before then
  local limit = cjson.decode(call('HGET', JOB, 'spec')).skip_bad_records or 0
  local sum = tonumber(call('HGET', COUNTERS, 'skipped_records') or '0') + skipped - before
  if sum > limit then
    local err = cjson.encode({attempt = attempt, executor = executor, class = 'user', at = now(),
      message = string.format('more bad records than may be skipped: %d so far, %d in %s alone; the limit is %d',
        sum, skipped, side .. index, limit)})
    failed(side, index, 'user', err, 1)
    return {'stale', 'cleanup'}
  end
end
if skipped ~= before then
  call('HSET', COUNTERS, mine, skipped)
  call('HINCRBY', COUNTERS, 'skipped_records', skipped - before)
end

call('HSET', DONE[side], index,
  number .. ' ' .. executor .. ' ' .. claimed .. ' ' .. ms(now()) .. ' ' .. ARGV[7])
drop(attempt)
local rivals = 0
for n = 1, highest(side, index) do
  local other = side .. index .. '.' .. n
  if call('HEXISTS', RUN, other) == 1 then
    void(other)
    rivals = rivals + 1
    if n < tonumber(number) then call('HINCRBY', COUNTERS, 'backup_attempts_won', 1) end
  end
end
call('ZREM', RETRY[side], index)
call('HINCRBY', JOB, COUNT[side], 1)
call('HINCRBY', JOB, SPENT[side], now() - tonumber(claimed))
-- A task whose output was lost has been counted already: its input is the same, so the sums stay.
-- An overflow must not undo half a commit: the counter stays unchanged, and overflowed_counters
-- counts it.
if call('HEXISTS', FAILS, side .. index .. ':counted') == 0 then
  local names = call('HLEN', COUNTERS)
  for i = 8, #ARGV, 2 do
    if ARGV[i] ~= mine then
      local sum, n = redis.pcall('HINCRBY', COUNTERS, ARGV[i], ARGV[i + 1]), tonumber(ARGV[i + 1])
      local overflowed = type(sum) == 'table' -- Redis refuses
      if not overflowed and math.abs(sum - n) >= 2 ^ 63 then
        -- The embedded Redis wraps around to a value that no counter can have. Subtracting wraps back.
        call('HINCRBY', COUNTERS, ARGV[i], n > 0 and '-' .. ARGV[i + 1] or string.sub(ARGV[i + 1], 2))
        overflowed = true
      end
      if overflowed then call('HINCRBY', COUNTERS, 'overflowed_counters', 1) end
    end
  end
  -- Of the program's names the first ones in byte order stay, so the choice does not depend on the
  -- order of commits, and the sum of each remaining counter is complete.
  local new = call('HLEN', COUNTERS) - names
  if new > 0 and call('HINCRBY', JOB, 'names', new) > 1000 then
    local users = {}
    for _, name in ipairs(call('HKEYS', COUNTERS)) do
      if string.sub(name, 1, 5) == 'user:' then users[#users + 1] = name end
    end
    if #users > 1000 then
      table.sort(users)
      for i = 1001, #users do call('HDEL', COUNTERS, users[i]) end
      call('HINCRBY', JOB, 'names', 1000 - #users)
      call('HINCRBY', COUNTERS, 'dropped_counters', #users - 1000)
    end
  end
end
return {'ok', advance(), rivals}
