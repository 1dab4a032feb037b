-- Removes what was taken, if it is still for the holder of the lease to say so. What was taken stands first, but for
-- what has expired and gone meanwhile.
-- KEYS inbox, lease, sizes; ARGV space, token, name of a taken item ...
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
local names = {}
for i = 3, #ARGV do names[ARGV[i]] = true end
local gone = 0
for _ = 3, #ARGV do
  local first = redis.call('LINDEX', KEYS[1], 0)
  if not first or not names[string.match(first, '^%d+ (%S+)')] then break end
  redis.call('LPOP', KEYS[1])
  gone = gone + #first
end
redis.call('HINCRBY', KEYS[3], ARGV[1], 0 - gone)
redis.call('HINCRBY', KEYS[3], '*', 0 - gone)
return 1
