-- Starts a kept job again. Committed tasks stay so; all others that were claimed are to be
-- done again, with a higher attempt number and their failures forgiven.
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'kept' then return {'illegal', phase} end
local at = now()
for _, side in ipairs({'m', 'r'}) do
  for index = 0, num(NEXT[side]) - 1 do
    if call('HEXISTS', DONE[side], index) == 0 then enqueue(side, index, highest(side, index), at) end
  end
end
call('DEL', FAILS)
call('HDEL', JOB, 'error', 'ended', 'keptuntil')
event('retry', '')
advance()
return {'ok'}
