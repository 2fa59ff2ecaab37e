-- Does everything that our scripts need of a server: writes, reads, the clock, JSON, patterns, a key
-- with the job's tag that is not in KEYS, and a reply with texts, integers and lists. It leaves nothing
-- behind. common.lua is not prepended.
-- KEYS: 1 hash, 2 zset, 3 list, 4 stream, all with one tag; nothing else uses them
-- ARGV: 1 any text
-- Returns {'ok', the clock (ms), the text, 1}.
local call = redis.call
local lease = KEYS[1] .. ':lease'
local t = call('TIME')
local ms = string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))
call('HSET', KEYS[1], 'a', ARGV[1], 'n', 1)
call('HSETNX', KEYS[1], 'a', 'other')
call('HINCRBY', KEYS[1], 'n', 1)
call('ZADD', KEYS[2], ms, 'm')
call('RPUSH', KEYS[3], ARGV[1])
call('LTRIM', KEYS[3], -1, -1)
call('XADD', KEYS[4], 'MAXLEN', '~', '1000', '*', 'kind', 'x', 'text', '')
call('SET', lease, 'me', 'PX', 60000)
local ok = call('HGET', KEYS[1], 'a') == ARGV[1] and call('HGET', KEYS[1], 'n') == '2' and call('HGET', KEYS[1], 'none') == false
  and call('HEXISTS', KEYS[1], 'a') == 1 and #call('HKEYS', KEYS[1]) == 2
  and call('ZCOUNT', KEYS[2], '-inf', ms) == 1 and call('ZRANGEBYSCORE', KEYS[2], '-inf', ms, 'LIMIT', 0, 1)[1] == 'm'
  and call('ZREVRANGEBYSCORE', KEYS[2], ms, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[1] == 'm' and call('ZSCORE', KEYS[2], 'm') ~= false
  and call('LRANGE', KEYS[3], 0, -1)[1] == ARGV[1]
  and call('EXISTS', lease) == 1 and call('PEXPIRE', lease, 60000) == 1
  and call('HSCAN', KEYS[1], '0', 'COUNT', 10)[1] == '0'
  and cjson.decode(cjson.encode({text = ARGV[1]})).text == ARGV[1] and string.match('me 12 0', '^(%S+) ') == 'me'
call('HDEL', KEYS[1], 'a')
call('ZREM', KEYS[2], 'm')
call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], lease)
if not ok or call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4], lease) ~= 0 then
  return redis.error_reply('ERR a script sees other values than it has written')
end
return {'ok', ms, ARGV[1], 1}
