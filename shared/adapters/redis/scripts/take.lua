-- The oldest items of an inbox within so many documents and bytes, one at least; what expired goes first, whoever has
-- the lease. Answers nil if that is another one, or nobody: who has it now may have taken less than waits by now, and
-- would store it after what this one stores.
-- KEYS inbox, sizes, lease; ARGV space, documents, bytes, lifetime of the inbox in ms, token
local inbox, sizes, space = KEYS[1], KEYS[2], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('PEXPIRE', inbox, ARGV[4])
while true do
  local first = redis.call('LINDEX', inbox, 0)
  if not first or tonumber(string.match(first, '^%d+')) > now then break end
  redis.call('LPOP', inbox)
  redis.call('HINCRBY', sizes, space, -#first)
  redis.call('HINCRBY', sizes, '*', -#first)
end
if redis.call('GET', KEYS[3]) ~= ARGV[5] then return false end
local found, documents, bytes, first, step = {}, 0, 0, 0, 1
while true do
  local slice = redis.call('LRANGE', inbox, first, first + step - 1)
  for _, item in ipairs(slice) do
    documents = documents + (tonumber(string.match(item, '^%d+ %S+ (%d+)')) or 1)
    bytes = bytes + #item
    if #found > 0 and (documents > tonumber(ARGV[2]) or bytes > tonumber(ARGV[3])) then return found end
    table.insert(found, item)
  end
  if #slice < step or bytes > tonumber(ARGV[3]) then return found end
  first, step = first + step, 10 -- a slice is copied whole, and its items may be large
end
