-- KEYS acknowledgements of a device; ARGV at, sequence, ttl.
local last = redis.call('HMGET', KEYS[1], 'at', 'sequence', 'posted')
if last[1] and last[2] and last[3] == '0' then
  redis.call('HSET', KEYS[1], 'agreed_at', last[1], 'agreed_sequence', last[2])
end
redis.call('HSET', KEYS[1], 'at', ARGV[1], 'sequence', ARGV[2], 'posted', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
