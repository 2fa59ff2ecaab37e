-- Says which partition bounds a job of total order has. The first to say so is right.
-- ARGV: 1 the birth (ms) of the job that they are for, 2 their name
-- Returns {'ok', the name that holds}, {'gone'} or {'stale'}: the job has been lost and restored
-- meanwhile, or needs no bounds any more.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if call('HGET', JOB, 'born') ~= ARGV[1] or (phase ~= 'map' and phase ~= 'reduce') then return {'stale'} end
call('HSETNX', JOB, 'bounds', ARGV[2])
return {'ok', call('HGET', JOB, 'bounds')}
