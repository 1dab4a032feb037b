-- KEYS lease, queued, last number; ARGV token, ttl, lifetime of the last number in ms: the number of the lease, or 0 if
-- another one holds it. The number is the time in microseconds, and greater than the last one whatever became of the
-- clock: whoever had that may stand still with what it took.
redis.call('DEL', KEYS[2])
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
local now = redis.call('TIME')
local number = math.max(now[1] * 1000000 + now[2], tonumber(redis.call('GET', KEYS[3]) or 0) + 1)
redis.call('SET', KEYS[3], string.format('%.0f', number), 'PX', ARGV[3])
return number
