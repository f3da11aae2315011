-- A worker takes calls that are due: one of the first integration on the ring, one of the next, and round again.
-- KEYS: ...
-- ARGV: ..., most, turns, lease ms
-- Returns {lane, id, finished call, tries, lost, ms since it was queued, failures of its integration, '1' when it was
--   given up before} for each

local most, turns, lease = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local taken = {}

-- What a worker held for longer than its lease is due again.
local function release(lane, tenant)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', held_key(lane), '-inf', whole(now))) do
    redis.call('ZREM', held_key(lane), id)
    if redis.call('EXISTS', call_key(tenant, id)) == 1 then
      redis.call('HINCRBY', call_key(tenant, id), 'lost', 1)
      redis.call('ZADD', waiting_key(lane), whole(now), id)
    end
  end
end

local function take_one(lane, tenant)
  local id = redis.call('ZRANGEBYSCORE', waiting_key(lane), '-inf', whole(now), 'LIMIT', 0, 1)[1]
  if not id then
    return
  end
  redis.call('ZREM', waiting_key(lane), id)
  local found = redis.call('HMGET', call_key(tenant, id), 'call', 'tries', 'lost', 'queued', 'again')
  if not found[1] then
    return
  end
  local tries = number(found[2]) + 1
  redis.call('HSET', call_key(tenant, id), 'tries', whole(tries))
  redis.call('ZADD', held_key(lane), whole(now + lease), id)
  taken[#taken + 1] = {lane, id, found[1], tries, number(found[3]), math.max(0, now - number(found[4])),
    number(redis.call('HGET', state_key(lane), 'failures')), found[5] or ''}
end

-- Each turn counts a microsecond of its own: within one moment, too, the lane that was served last comes last.
local time = redis.call('TIME')
local turn = time[1] * 1000000 + time[2]
while #taken < most and turns > 0 do
  turns, turn = turns - 1, turn + 1
  local lane = redis.call('ZRANGEBYSCORE', RING, '-inf', whole(turn), 'LIMIT', 0, 1)[1]
  if not lane then
    break
  end
  local tenant = string.match(lane, '^[^:]*')
  release(lane, tenant)
  if room_of(lane) > 0 and number(redis.call('HGET', state_key(lane), 'until')) <= now then
    take_one(lane, tenant)
  end
  redis.call('HSET', state_key(lane), 'served', whole(turn))
  rescore(lane)
end
return taken
