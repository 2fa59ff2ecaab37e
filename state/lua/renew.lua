-- Renews an executor's leases of one job and records the progress of its attempts.
-- A lease that is gone stays gone: the next sweep reassigns its attempt.
-- ARGV: 1 executor, 2 lease (ms), then for each attempt: its name, claimed (ms),
--       progress (0-1000), 1 if it has made progress since its last renewal
-- Returns for each attempt 0 (lost: stop it), 1 (renewed), or 2 (renewed, and somebody follows its log).
local out, at = {}, ms(now())
local held = 1 + call('EXISTS', JOB .. ':reader')
for i = 3, #ARGV, 4 do
  local attempt, claimed = ARGV[i], ARGV[i + 1]
  local ok = holds(attempt, ARGV[1], claimed) and call('PEXPIRE', lease(attempt), ARGV[2]) == 1
  if ok then
    local moved = at
    if ARGV[i + 3] ~= '1' then moved = string.match(call('HGET', RUN, attempt), '%S+$') end
    call('HSET', RUN, attempt, ARGV[1] .. ' ' .. claimed .. ' ' .. ARGV[i + 2] .. ' ' .. moved)
  end
  out[#out + 1] = ok and held or 0
end
return out
