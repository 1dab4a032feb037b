-- Counts so many more streams of each key, or fewer.
-- KEYS one hash a key, from process to count; ARGV process, milliseconds that a key is kept, then how many for each key.
for i, key in ipairs(KEYS) do
  if redis.call('HINCRBY', key, ARGV[1], ARGV[2 + i]) <= 0 then redis.call('HDEL', key, ARGV[1]) end
  redis.call('PEXPIRE', key, ARGV[2])
end
return 0
