-- Adds a job to the unended jobs of its submitter if there is room. common.lua is not prepended.
-- KEYS: 1 submitter's jobs   zset   job -> when it was admitted (ms)
-- ARGV: 1 job, 2 how many jobs there may be
-- Returns 1 if the job is one of them, 0 if there is no room.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 1 end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
local t = redis.call('TIME')
redis.call('ZADD', KEYS[1], string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)), ARGV[1])
return 1
