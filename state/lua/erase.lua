-- Removes everything that is left of an ended job.
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'ended' then return {'illegal', phase} end
for _, key in ipairs(KEYS) do call('DEL', key) end
return {'ok'}
