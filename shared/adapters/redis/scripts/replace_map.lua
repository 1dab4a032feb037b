-- KEYS map; ARGV ttl, epoch, sequence, field, value, ...
local seal = redis.call('HGET', KEYS[1], 'seal')
if seal then
  local epoch, sequence = string.match(seal, '^(%w+):(%d+):')
  if epoch == ARGV[2] and tonumber(sequence) > tonumber(ARGV[3]) then return 0 end
end
redis.call('DEL', KEYS[1])
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
