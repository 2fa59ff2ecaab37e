-- Adds to the events of a job that is being cleaned up; changes nothing else.
-- ARGV: 1 kind, 2 failure (JSON)
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'cleanup' then return {'illegal', phase} end
event(ARGV[1], brief(ARGV[2]))
return {'ok'}
