-- Ends a job early: cancelled, or failed by a controller.
-- ARGV: 1 state ('CANCELLED' or 'FAILED'), 2 error (JSON), 3 the stage in which it failed, or 0: any
-- Returns {'ok'}, {'gone'} or {'illegal', phase} if it has already ended or left the stage.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase == 'cleanup' or phase == 'kept' or phase == 'ended' or not current(ARGV[3]) then return {'illegal', phase} end
end_job(ARGV[1], ARGV[2])
return {'ok'}
