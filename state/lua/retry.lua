-- Starts a kept job again. Maps whose segments wait to be reduced stay committed. All other claimed
-- tasks must be done again, with a higher attempt number and their failures forgiven; so must those
-- that wrote output, which was discarded when the job failed.
-- ARGV: 1 the stage that is meant, or 0: any
-- Returns {'ok'}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'kept' or not current(ARGV[1]) then return {'illegal', phase} end
local output = num('reduces') == 0 and 'm' or 'r'
local counted = {}
for _, field in ipairs(call('HKEYS', FAILS)) do
  if string.match(field, ':counted$') then counted[#counted + 1] = field end
end
for _, index in ipairs(call('HKEYS', DONE[output])) do
  counted[#counted + 1] = output .. index .. ':counted'
end
call('DEL', DONE[output], FAILS)
call('HSET', JOB, COUNT[output], 0, SPENT[output], 0)
for _, field in ipairs(counted) do call('HSET', FAILS, field, 1) end
local at = now()
for _, side in ipairs({'m', 'r'}) do
  for index = 0, num(NEXT[side]) - 1 do
    if call('HEXISTS', DONE[side], index) == 0 then enqueue(side, index, highest(side, index), at) end
  end
end
call('HDEL', JOB, 'error', 'ended', 'keptuntil', 'publishat')
event('retry', '')
advance()
return {'ok'}
