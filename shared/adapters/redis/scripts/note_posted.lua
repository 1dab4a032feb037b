-- KEYS acknowledgements of a device.
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'posted', '1') end
return redis.call('HMGET', KEYS[1], 'agreed_at', 'agreed_sequence')
