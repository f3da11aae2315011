-- A worker asks a CRM for another reason than a call that waits: that goes first.
-- ARGV: tenant, lane, ms between requests, requests
-- Returns the ms to wait before asking again; 0 when they may be sent, and are spent.

local tenant, lane, interval, requests = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local key, now = state_key(tenant, lane), now_ms()
local state = read_state(key)

local wait = math.max(state.paused, interval > 0 and state.due or 0) - now
if wait > 0 then
  return math.ceil(wait)
end
if interval > 0 and redis.call('EXISTS', waiting_key(tenant, lane)) == 1 then
  return math.ceil(interval)
end
spend(key, state, interval, requests, now)
return 0
