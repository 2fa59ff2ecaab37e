-- Keeps a failed job whose output is cleaned up, with its plan and its committed maps, so that it may
-- be retried.
-- ARGV: 1 how long (ms), 2 the stage in which its output was cleaned up, or 0: any
-- Returns {'ok'}, {'gone'} or {'illegal', phase}: only a failed job that was planned, and only
-- once after each failure.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'cleanup' or not current(ARGV[2]) or call('HGET', JOB, 'state') ~= 'FAILED' or not call('HGET', JOB, 'maps')
  or call('HEXISTS', JOB, 'keptuntil') == 1 then return {'illegal', phase} end
call('HSET', JOB, 'keptuntil', ms(now() + tonumber(ARGV[1])))
enter('kept')
event('kept', '')
return {'ok'}
