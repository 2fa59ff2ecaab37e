-- Ends planning: the job's tasks may be claimed from now on.
-- ARGV: 1 number of map tasks (> 0), 2 number of reduce tasks, 3 plan (opaque to Redis)
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'plan' then return {'illegal', phase} end
call('HSET', JOB, 'maps', ARGV[1], 'reduces', ARGV[2], 'plan', ARGV[3],
  'mapnext', 0, 'rednext', 0, 'mapdone', 0, 'reddone', 0)
advance()
return {'ok'}
