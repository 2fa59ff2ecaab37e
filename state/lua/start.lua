-- Ends planning: makes the job's tasks claimable.
-- ARGV: 1 number of map tasks (> 0), 2 number of reduce tasks, 3 plan (opaque to Redis),
--       4 the stage of the planning, or 0: any; a job that was lost and restored since is planned
--       again, 5 how long a task may make no progress (ms; 0: no limit),
--       6 limit of failures of one task because of its program, or 0: the sweeper's
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'plan' or not current(ARGV[4]) then return {'illegal', phase} end
call('HSET', JOB, 'maps', ARGV[1], 'reduces', ARGV[2], 'plan', ARGV[3], 'stall', ARGV[5],
  'mapnext', 0, 'rednext', 0, 'mapdone', 0, 'reddone', 0)
if ARGV[6] ~= '0' then call('HSET', JOB, 'attempts', ARGV[6]) end
advance()
return {'ok'}
