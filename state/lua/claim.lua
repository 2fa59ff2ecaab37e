-- Gives an executor up to WANTED ready tasks, first those that are tried again. It skips a task if
-- the executor already runs an attempt at it (a backup attempt must run elsewhere), or if the task has
-- just failed there, so that an executor where everything fails does not use up a task's attempts.
-- ARGV: 1 executor, 2 wanted, 3 lease (ms)
-- Returns {'gone'}, {'none'} (the phase has no tasks), or
-- {'ok', side, epoch, tasks still ready, claimed (ms), born (ms), index, number, index, number, …}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
local side = phase == 'map' and 'm' or phase == 'reduce' and 'r'
if not side then return {'none'} end
local wanted, at = tonumber(ARGV[2]), now()
local out = {'ok', side, call('HGET', JOB, 'epoch'), 0, ms(at), call('HGET', JOB, 'born')}

local function give(index, number)
  local attempt = side .. index .. '.' .. number
  call('HSET', RUN, attempt, ARGV[1] .. ' ' .. ms(at) .. ' 0 ' .. ms(at))
  call('SET', lease(attempt), ARGV[1], 'PX', ARGV[3])
  out[#out + 1] = tostring(index)
  out[#out + 1] = tostring(number)
  wanted = wanted - 1
end

-- Reports whether this executor must leave the task to others.
local function avoids(index)
  local shun = call('HGET', FAILS, side .. index .. ':shun')
  if shun then
    local who, till = string.match(shun, '^(%S+) (%S+)$')
    if who == ARGV[1] and tonumber(till) > at then return true end
  end
  for n = 1, highest(side, index) do
    if owner(side .. index .. '.' .. n) == ARGV[1] then return true end
  end
  return false
end

if wanted > 0 then
  for _, index in ipairs(call('ZRANGEBYSCORE', RETRY[side], '-inf', ms(at), 'LIMIT', 0, wanted + 16)) do
    if wanted == 0 then break end
    if not avoids(index) then
      call('ZREM', RETRY[side], index)
      local number = call('HINCRBY', ATT, side .. index, 1)
      if rival(side, index, number) then
        call('HINCRBY', COUNTERS, 'backup_attempts', 1)
        call('HINCRBY', JOB, BACKUPS[side], 1)
      end
      give(index, number)
    end
  end
end
local first = num(NEXT[side])
local last = math.min(first + wanted, num(TOTAL[side])) - 1
if last >= first then
  call('HSET', JOB, NEXT[side], last + 1)
  for index = first, last do give(index, 1) end
end
if #out > 6 then call('HINCRBY', JOB, CLAIMS[side], (#out - 6) / 2) end
out[4] = ready(side, at)
return out
