-- Records the partition bounds of a job in total order. The first caller wins.
-- ARGV: 1 the birth (ms) of the job for which the bounds are, 2 their name
-- Returns {'ok', the recorded name}, {'gone'} or {'stale'}: the job has been lost and restored
-- since, or no longer needs bounds.
local phase = call('HGET', JOB, 'phase')
if not phase then return {'gone'} end
if call('HGET', JOB, 'born') ~= ARGV[1] or (phase ~= 'map' and phase ~= 'reduce') then return {'stale'} end
call('HSETNX', JOB, 'bounds', ARGV[2])
return {'ok', call('HGET', JOB, 'bounds')}
