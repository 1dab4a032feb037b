-- Which of these submissions are not in the inbox, though they were put there.
-- KEYS inbox; ARGV their names, in the order in which they were put in. Answers the numbers of those that are missing.
-- What is in the inbox is taken out from its front, so if the first one is there, so are the others: mostly the search
-- ends at the first item.
local places, missing = {}, {}
for i, name in ipairs(ARGV) do places[name] = i end
local first, step = 0, 1
while true do
  local slice = redis.call('LRANGE', KEYS[1], first, first + step - 1)
  for _, item in ipairs(slice) do
    local place = places[string.match(item, '^%d+ (%S+)')]
    if place == 1 then return {} end
    if place then places[ARGV[place]] = nil end
  end
  if #slice < step then break end
  first, step = first + step, 10 -- a slice is copied whole, and its items may be large
end
for i, name in ipairs(ARGV) do
  if places[name] then table.insert(missing, i) end
end
return missing
