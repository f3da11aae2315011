-- A call is given up, and kept for a person to see.
-- KEYS: ...
-- ARGV: ..., tenant, integration, id, tries, problem, kept ms, most
-- Returns 1, or 0 when the call is no longer this worker's

local tenant, integration, id, tries = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local lane = lane_of(tenant, integration)
if not is_in_hand(tenant, lane, id, tries) then
  return 0
end
redis.call('ZREM', held_key(lane), id)
keep_failed(tenant, integration, id, ARGV[6], now_ms(), tonumber(ARGV[7]), tonumber(ARGV[8]))
rescore(lane)
return 1
