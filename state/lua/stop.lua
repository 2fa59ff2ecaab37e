-- Ends a job before its time: cancelled, or failed by a controller.
-- ARGV: 1 state ('CANCELLED' or 'FAILED'), 2 error (JSON), 3 the stage that it failed in, or 0: any
-- Returns {'ok'}, {'gone'} or {'illegal', phase} when it has ended already, or was moved on.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase == 'cleanup' or phase == 'kept' or phase == 'ended' or not current(ARGV[3]) then return {'illegal', phase} end
end_job(ARGV[1], ARGV[2])
return {'ok'}
