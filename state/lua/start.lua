-- Ends planning: the job's tasks may be claimed from now on.
-- ARGV: 1 number of map tasks (> 0), 2 number of reduce tasks, 3 plan (opaque to Redis),
--       4 the stage that was planned in, or 0: any; a job that was lost and restored meanwhile is
--       planned anew, 5 how long a task may make no progress (ms; 0: for ever),
--       6 limit of failures of its program for one task, or 0: the sweeper's
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'plan' or not current(ARGV[4]) then return {'illegal', phase} end
call('HSET', JOB, 'maps', ARGV[1], 'reduces', ARGV[2], 'plan', ARGV[3], 'stall', ARGV[5],
  'mapnext', 0, 'rednext', 0, 'mapdone', 0, 'reddone', 0)
if ARGV[6] ~= '0' then call('HSET', JOB, 'attempts', ARGV[6]) end
advance()
return {'ok'}
