-- Counts one more stream of each key, unless one of them has as many as it may. What processes held that live no more
-- is dropped on the way.
-- KEYS one hash a key, from process to count; ARGV process, milliseconds that a key is kept, beginning of the keys that
-- say that a process lives, then a bound for each key (0: none). Answers the number of the key that is full, or 0.
for i, key in ipairs(KEYS) do
  local held, rows = 0, redis.call('HGETALL', key)
  for j = 1, #rows, 2 do
    if redis.call('EXISTS', ARGV[3] .. rows[j]) == 1 then
      held = held + tonumber(rows[j + 1])
    else
      redis.call('HDEL', key, rows[j])
    end
  end
  local most = tonumber(ARGV[3 + i])
  if most > 0 and held >= most then return i end
end
for _, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, ARGV[1], 1)
  redis.call('PEXPIRE', key, ARGV[2])
end
return 0
