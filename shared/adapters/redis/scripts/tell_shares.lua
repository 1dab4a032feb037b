-- Notes what a process was asked for, and answers what the others noted of late. What is old is dropped on the way, and
-- so is what a clock that went back makes newer than now.
-- KEYS one hash, from process to "<ms> <text>"; ARGV process, milliseconds that a text counts, most texts in the answer,
-- the text of this process.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local others, rows = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
  local at, text = string.match(rows[i + 1], '^(%d+) (.*)$')
  if math.abs(now - tonumber(at)) > tonumber(ARGV[2]) then
    redis.call('HDEL', KEYS[1], rows[i])
  elseif rows[i] ~= ARGV[1] and #others < tonumber(ARGV[3]) then
    others[#others + 1] = text
  end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return others
