-- Reassigns the running attempts whose lease is gone, even if they never had one, and those that have
-- made no progress for longer than the job allows. One call reads a page of them (about 1,000, a few
-- ms), so that many attempts do not block Redis.
-- ARGV: 1 limit of lost executors for one task, 2 of failures because of the program if the job does
--       not set one, 3 cursor ('0' at first)
-- Returns {'gone'} or {phase after it, reassigned attempts, tasks ready now, next cursor
-- ('0': that was the last page)}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'map' and phase ~= 'reduce' then return {phase, 0, 0, '0'} end
local at, lost, stall = now(), 0, num('stall')

-- Reassigns an attempt that failed in this way. Returns true if that ended the job.
local function give_away(attempt, class, limit, report, message)
  local executor = owner(attempt)
  lost = lost + 1
  void(attempt)
  local side, index, number = string.match(attempt, '^(%a)(%d+)%.(%d+)$')
  local err = cjson.encode({attempt = attempt, executor = executor, class = report, at = at, message = message(executor, side .. index)})
  if failed(side, index, class, err, limit) then return true end
  requeue(side, index, tonumber(number), at)
  return false
end

local function lose(attempt)
  return give_away(attempt, 'lost', ARGV[1], 'lost', function(executor, task)
    local text = 'executor ' .. executor .. ' stopped renewing its lease (it died, hung, or lost its network)'
    local n = tonumber(call('HGET', FAILS, task .. ':lost') or '0') + 1
    if n < tonumber(ARGV[1]) then return text end
    return 'task ' .. task .. ' is poison: ' .. n .. ' executors died or went silent while they ran it; the last: ' .. text
  end)
end

local function stuck(attempt)
  local limit = call('HGET', JOB, 'attempts') or ARGV[2]
  return give_away(attempt, 'user', limit, 'stuck', function(executor)
    return 'no progress for ' .. stall / 1000 .. ' s (--task-timeout): the program hangs or reports no progress; it ran on executor ' .. executor
  end)
end

-- Leases are read by the hundred: nearly always all of them exist.
local page = call('HSCAN', RUN, ARGV[3], 'COUNT', 1000)
local run = page[2] -- name, entry, name, entry, …
for first = 1, #run, 200 do
  local last, leases = math.min(first + 199, #run), {}
  for i = first, last, 2 do leases[#leases + 1] = lease(run[i]) end
  local all = call('EXISTS', unpack(leases)) == #leases
  for i = first, last, 2 do
    local over = false
    if not all and call('EXISTS', lease(run[i])) == 0 then over = lose(run[i])
    elseif stall > 0 and tonumber(string.match(run[i + 1], '%S+$')) + stall < at then over = stuck(run[i]) end
    if over then return {'cleanup', lost, 0, '0'} end
  end
end
return {phase, lost, ready(phase == 'map' and 'm' or 'r', at), page[1]}
