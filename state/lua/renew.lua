-- Renews an executor's leases of one job and carries their progress up.
-- A lease that is gone stays gone: its attempt is given away by the next sweep.
-- ARGV: 1 executor, 2 lease (ms), then for each attempt: its name, progress (0-1000)
-- Returns for each attempt 1 (renewed) or 0 (lost: stop it).
local out = {}
for i = 3, #ARGV, 2 do
  local who, entry = owner(ARGV[i])
  local ok = who == ARGV[1] and call('PEXPIRE', lease(ARGV[i]), ARGV[2]) == 1
  if ok then
    call('HSET', RUN, ARGV[i], string.match(entry, '^%S+ %S+ ') .. ARGV[i + 1])
  end
  out[#out + 1] = ok and 1 or 0
end
return out
