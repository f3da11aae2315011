-- What was recorded in the last moments, after an entry that is known.
-- KEYS: decisions
-- ARGV: the known entry's id or '', ms that an entry may be old, entries at the most
-- Returns the time of now in ms, then the entries, the oldest first

local now = now_ms()

local function parts(id)
  local moment, number = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(moment) or 0, tonumber(number) or 0
end

local function is_before(one, other)
  local moment, number = parts(one)
  local other_moment, other_number = parts(other)
  return moment < other_moment or (moment == other_moment and number < other_number)
end

local oldest = string.format('%.0f-0', math.max(0, now - tonumber(ARGV[2])))
local start = oldest
if ARGV[1] ~= '' and not is_before(ARGV[1], oldest) then
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  -- Where the last entry is older than the known one, the stream was lost and began anew.
  if last and not is_before(last[1], ARGV[1]) then
    start = '(' .. ARGV[1]
  end
end
return {string.format('%.0f', now), redis.call('XRANGE', KEYS[1], start, '+', 'COUNT', ARGV[3])}
