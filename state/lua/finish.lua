-- The output is whole and in place: the job is done.
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'publish' then return {'illegal', phase} end
call('HSET', JOB, 'state', 'COMPLETED', 'phase', 'cleanup', 'ended', ms(now()))
event('COMPLETED', '')
return {'ok'}
