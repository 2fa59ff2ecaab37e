-- Ends the keeping of a job: it is cleaned up for good.
-- ARGV: 1 the stage that is meant, or 0: any
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'kept' or not current(ARGV[1]) then return {'illegal', phase} end
enter('cleanup')
return {'ok'}
