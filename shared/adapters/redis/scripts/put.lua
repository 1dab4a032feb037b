-- Puts submissions into a space's inbox; without items it only checks that somebody works on it. Marks the map
-- acknowledgements of the devices that post, in the same step (api/acknowledgements.py marks them as well, for a
-- deletion that needs to know what was acknowledged before).
-- KEYS inbox, lease, queued, sizes, acknowledgements of a device that posts ...
-- ARGV space, most items, most bytes, most bytes of all spaces, lifetime of the inbox and of "queued" in ms; of each item
--      its lifetime in ms and its text, "<name> <documents> <rows>"
-- Returns { verdict, items taken in, what was full }.
-- Verdicts: 1: the caller must enqueue a job; 0: somebody is at it; 2: nothing waits, so what is not answered is not
-- there any more. Full: "" or "count", "space", "all".
local inbox, space = KEYS[1], ARGV[1]
local sizes = KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for i = 5, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('HSET', KEYS[i], 'posted', '1') end
end

-- What is left of the sizes of an inbox that is not there.
local function forget(name)
  local size = tonumber(redis.call('HGET', sizes, name) or 0)
  redis.call('HDEL', sizes, name)
  redis.call('HINCRBY', sizes, '*', 0 - size)
end

while true do -- expired
  local first = redis.call('LINDEX', inbox, 0)
  if not first or tonumber(string.match(first, '^%d+')) > now then break end
  redis.call('LPOP', inbox)
  redis.call('HINCRBY', sizes, space, -#first)
  redis.call('HINCRBY', sizes, '*', -#first)
end

local waiting = redis.call('LLEN', inbox)
if waiting == 0 then forget(space) end
if waiting == 0 and #ARGV == 6 then return { 2, 0, '' } end

local taken, full = 0, ''
local size = tonumber(redis.call('HGET', sizes, space) or 0)
for i = 7, #ARGV, 2 do
  local item = string.format('%.0f', now + ARGV[i]) .. ' ' .. ARGV[i + 1]
  if waiting + 1 > tonumber(ARGV[2]) then full = 'count' break end
  if waiting > 0 and size + #item > tonumber(ARGV[3]) then full = 'space' break end
  if tonumber(redis.call('HGET', sizes, '*') or 0) + #item > tonumber(ARGV[4]) then
    -- Inboxes may have ended by their lifetime, or Redis may have been told to forget them.
    local sum = 0
    for _, name in ipairs(redis.call('HKEYS', sizes)) do
      if name ~= '*' and redis.call('EXISTS', 'ht:{' .. name .. '}:inbox') == 0 then
        redis.call('HDEL', sizes, name)
      elseif name ~= '*' then
        sum = sum + tonumber(redis.call('HGET', sizes, name))
      end
    end
    redis.call('HSET', sizes, '*', sum)
    if sum + #item > tonumber(ARGV[4]) then full = 'all' break end
  end
  redis.call('RPUSH', inbox, item)
  redis.call('HINCRBY', sizes, space, #item)
  redis.call('HINCRBY', sizes, '*', #item)
  waiting, size, taken = waiting + 1, size + #item, taken + 1
end
if taken > 0 then redis.call('PEXPIRE', inbox, ARGV[5]) end

if waiting == 0 or redis.call('EXISTS', KEYS[2]) == 1 then return { 0, taken, full } end
if redis.call('SET', KEYS[3], '1', 'NX', 'PX', ARGV[6]) then return { 1, taken, full } end
return { 0, taken, full }
