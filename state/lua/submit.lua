-- Creates a job. Submitting the same job again changes nothing.
-- ARGV: 1 spec (JSON), 2 name, 3 priority
-- Returns {'ok', phase}, or {'exists'} when a job of that id has another spec.
local spec = call('HGET', JOB, 'spec')
if spec and spec ~= ARGV[1] then return {'exists'} end
if spec then return {'ok', call('HGET', JOB, 'phase')} end
call('HSET', JOB, 'spec', ARGV[1], 'name', ARGV[2], 'priority', ARGV[3],
  'state', 'SUBMITTED', 'phase', 'plan', 'submitted', ms(now()), 'epoch', 1)
event('SUBMITTED', '')
return {'ok', 'plan'}
