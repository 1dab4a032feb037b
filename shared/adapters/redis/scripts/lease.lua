-- KEYS lease, queued; ARGV token, ttl: the time in microseconds, or 0 if another one holds it
redis.call('DEL', KEYS[2])
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
local now = redis.call('TIME')
return now[1] * 1000000 + now[2]
