-- Gives away the running attempts whose lease is gone, also if they never had one. One call
-- looks at a page of them (about 1,000, a few ms), so that many don't hold Redis up.
-- ARGV: 1 limit of lost executors for one task, 2 wait before the next attempt (ms),
--       3 cursor ('0' at first)
-- Returns {'gone'} or {phase after it, attempts given away, tasks ready now, next cursor
-- ('0': that was the last page)}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'map' and phase ~= 'reduce' then return {phase, 0, 0, '0'} end
local at, lost = now(), 0

-- Returns true when that ended the job.
local function give_away(attempt)
  local executor = owner(attempt)
  lost = lost + 1
  drop(attempt)
  local side, index, number = string.match(attempt, '^(%a)(%d+)%.(%d+)$')
  local err = cjson.encode({attempt = attempt, executor = executor, class = 'lost', at = at,
    message = 'executor ' .. executor .. ' stopped renewing its lease (it died, hung, or lost its network)'})
  if failed(side, index, 'lost', err, ARGV[1]) then return true end
  requeue(side, index, tonumber(number), at + tonumber(ARGV[2]))
  return false
end

-- Leases are asked for by the hundred: nearly always all are there.
local page = call('HSCAN', RUN, ARGV[3], 'COUNT', 1000)
local run = page[2] -- name, entry, name, entry, …
for first = 1, #run, 200 do
  local last, leases = math.min(first + 199, #run), {}
  for i = first, last, 2 do leases[#leases + 1] = lease(run[i]) end
  if call('EXISTS', unpack(leases)) < #leases then
    for i = first, last, 2 do
      if call('EXISTS', lease(run[i])) == 0 and give_away(run[i]) then return {'cleanup', lost, 0, '0'} end
    end
  end
end
return {phase, lost, ready(phase == 'map' and 'm' or 'r', at), page[1]}
