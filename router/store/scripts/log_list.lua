-- A tenant's calls that wait, or that were given up.
-- KEYS: ...
-- ARGV: ..., tenant, 'waiting' or 'failed', most
-- Returns {id, finished call, tries, problem, ms since it was queued, ms until it is due, ms since it was given up} for
--   each: those that wait by the moment they are due, the others newest first

local tenant, most = ARGV[2], tonumber(ARGV[4])
local now = now_ms()
local found = {}

local function tell(id, due)
  local call = redis.call('HMGET', call_key(tenant, id), 'call', 'tries', 'problem', 'queued', 'failed')
  if call[1] then
    found[#found + 1] = {id, call[1], number(call[2]), call[3] or '', math.max(0, now - number(call[4])),
      math.max(0, due - now), call[5] and math.max(0, now - number(call[5])) or 0}
  end
end

if ARGV[3] == 'failed' then
  for _, member in ipairs(redis.call('ZRANGE', failed_key(tenant), 0, most - 1, 'REV')) do
    tell(string.match(member, '^%S+'), now)
  end
  return found
end
for _, integration in ipairs(redis.call('SMEMBERS', names_key(tenant))) do
  local lane = lane_of(tenant, integration)
  for _, key in ipairs({held_key(lane), waiting_key(lane)}) do
    local entries = redis.call('ZRANGE', key, 0, most - 1, 'WITHSCORES')
    for i = 1, #entries, 2 do
      tell(entries[i], key == held_key(lane) and now or number(entries[i + 1]))
    end
  end
end
return found
