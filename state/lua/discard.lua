-- Gives a job that was kept up to be cleaned up for good.
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'kept' then return {'illegal', phase} end
call('HSET', JOB, 'phase', 'cleanup')
return {'ok'}
