-- KEYS map; ARGV ttl, old position with a colon behind it, number of fields to delete, those fields, then
-- field, value, ...
local seal = redis.call('HGET', KEYS[1], 'seal')
if not seal or string.sub(seal, 1, #ARGV[2]) ~= ARGV[2] then return 0 end
local gone = tonumber(ARGV[3])
for i = 4, 3 + gone do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = 4 + gone, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
