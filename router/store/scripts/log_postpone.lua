-- A call could not be written, and is tried again later; with a pause its whole integration waits.
-- KEYS: ...
-- ARGV: ..., tenant, integration, id, tries, problem, delay ms, pause ms, given up ms, failed kept ms, failed most,
--   problem of a call given up
-- Returns 1, or 0 when the call is no longer this worker's

local tenant, integration, id, tries = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local problem, delay, pause = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local lane = lane_of(tenant, integration)
if not is_in_hand(tenant, lane, id, tries) then
  return 0
end
local now = now_ms()
redis.call('ZREM', held_key(lane), id)
redis.call('ZADD', waiting_key(lane), whole(now + delay), id)
redis.call('HSET', call_key(tenant, id), 'problem', problem, 'lost', '0')
if pause > 0 then
  local state = state_key(lane)
  local pausing = math.max(number(redis.call('HGET', state, 'until')), now + pause)
  redis.call('HSET', state, 'until', whole(pausing), 'problem', problem)
  redis.call('HINCRBY', state, 'failures', 1)
  -- A backlog is tried by one call at a time: those that have waited too long are given up with it, so many in a step.
  local oldest = whole(now - tonumber(ARGV[9]))
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', waiting_key(lane), '-inf', oldest, 'LIMIT', 0, 500)) do
    redis.call('ZREM', waiting_key(lane), old)
    keep_failed(tenant, integration, old, ARGV[12], now, tonumber(ARGV[10]), tonumber(ARGV[11]))
  end
end
rescore(lane)
return 1
