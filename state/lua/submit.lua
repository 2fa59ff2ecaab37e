-- Creates a job. Submitting the same job again changes nothing.
-- ARGV: 1 spec (JSON), 2 name, 3 priority, 4 when it was first submitted (ms) if it is
--       restored from the object store, else '', 5 its submitter,
--       6 its program, 7 its output: listings show both without reading the spec
-- Returns {'ok', phase, 1 if this created the job, else 0}, or {'exists'} if a job with that id has
-- another spec.
local spec = call('HGET', JOB, 'spec')
if spec and spec ~= ARGV[1] then return {'exists'} end
if spec then return {'ok', call('HGET', JOB, 'phase'), 0} end
local at = ms(now())
call('HSET', JOB, 'spec', ARGV[1], 'name', ARGV[2], 'priority', ARGV[3],
  'state', 'SUBMITTED', 'submitted', at, 'born', at, 'epoch', 1,
  'by', ARGV[5], 'program', ARGV[6], 'output', ARGV[7])
enter('plan')
if ARGV[4] ~= '' then call('HSET', JOB, 'submitted', ARGV[4], 'restored', 1) end
event(ARGV[4] == '' and 'SUBMITTED' or 'restored', '')
return {'ok', 'plan', 1}
