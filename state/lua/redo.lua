-- Takes back committed attempts of which the publication lacks something that is missing or corrupt:
-- the handles that complete their parts, or their saved bad records. Their tasks must be done again;
-- then the job is published again.
-- ARGV: 1 the stage in which this was found, 2 limit of such losses of one task,
--       then for each attempt: its side, index, number, claimed (ms), error (JSON)
-- Returns {'ok', phase after it}, {'gone'} or {'illegal', phase}.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if phase ~= 'publish' or not current(ARGV[1]) then return {'illegal', phase} end
for i = 3, #ARGV, 5 do
  local side, index, number, claimed = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local n, at, ended = string.match(call('HGET', DONE[side], index) or '', '^(%S+) %S+ (%S+) (%S+) ')
  if n == number and at == claimed then
    if failed(side, index, 'segment', ARGV[i + 4], ARGV[2]) then return {'ok', 'cleanup'} end
    call('HDEL', DONE[side], index)
    call('HINCRBY', JOB, COUNT[side], -1)
    call('HINCRBY', JOB, SPENT[side], tonumber(claimed) - tonumber(ended))
    call('HSET', FAILS, side .. index .. ':counted', 1)
    call('RPUSH', VOID, side .. index .. '.' .. number .. ' ' .. claimed)
    call('LTRIM', VOID, -10000, -1)
    requeue(side, index, tonumber(number), now())
  end
end
return {'ok', advance()}
