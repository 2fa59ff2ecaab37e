-- Puts a job at the end of its priority's queue. common.lua is not prepended.
-- KEYS: 1 ready   zset   job -> place: priorities are ranges of scores, the highest first
-- ARGV: 1 job, 2 the lowest score of its priority, 3 of the next lower priority,
--       4 'NX': only if it is not queued, 'XX': only if it is
-- Returns 1 if the job was put there, 0 if there was nothing to do.
local queues = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 'XX' or 'NX'
if queues ~= ARGV[4] then return 0 end
local last = redis.call('ZREVRANGEBYSCORE', KEYS[1], '(' .. ARGV[3], ARGV[2], 'WITHSCORES', 'LIMIT', 0, 1)
if last[1] == ARGV[1] then return 0 end
-- The addition makes the score a number: the embedded server's tonumber cannot parse '1e+15'.
local place = last[1] and string.format('%.0f', last[2] + 1) or ARGV[2]
redis.call('ZADD', KEYS[1], place, ARGV[1])
return 1
