-- Ends the clean-up: everything that the job left on the store is removed. Only its history stays,
-- for a time.
-- ARGV: 1 how long history is kept (ms; 0: no longer), 2 the stage whose clean-up this ends, or 0: any
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'cleanup' or not current(ARGV[2]) then return {'illegal', phase} end
-- The commit records are removed with this. For tasks whose failures are kept, it is recorded here that
-- they were committed, unless the job's outcome implies it.
if call('HGET', JOB, 'state') ~= 'COMPLETED' then
  local noted, tasks = {}, {}
  for _, err in ipairs(call('LRANGE', ERRORS, 0, -1)) do
    local side, index = string.match(err, '"attempt":"([mr])(%d+)%.%d+"')
    if side and not noted[side .. index] and call('HEXISTS', DONE[side], index) == 1 then
      noted[side .. index] = true
      tasks[#tasks + 1] = side .. index
    end
  end
  if #tasks > 0 then call('HSET', JOB, 'recovered', table.concat(tasks, ' ')) end
end
enter('ended')
event('ended', '')
call('DEL', RUN, RETRY.m, RETRY.r, ATT, FAILS, DONE.m, DONE.r, VOID)
for _, key in ipairs({JOB, COUNTERS, ERRORS, EVENTS}) do
  if ARGV[1] == '0' then call('DEL', key) else call('PEXPIRE', key, ARGV[1]) end
end
return {'ok'}
