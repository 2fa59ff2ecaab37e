-- Ends a job before its time: cancelled, or failed by a controller.
-- ARGV: 1 state ('CANCELLED' or 'FAILED'), 2 error (JSON)
-- Returns {'ok'}, {'gone'} or {'illegal', phase} when it has ended already.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase == 'cleanup' or phase == 'kept' or phase == 'ended' then return {'illegal', phase} end
end_job(ARGV[1], ARGV[2])
return {'ok'}
