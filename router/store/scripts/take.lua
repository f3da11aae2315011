-- A worker takes jobs: one of the first tenant on the ring, one of the next, and round again.
-- KEYS: ready, ringed, busy
-- ARGV: most, turns, group, consumer, jobs stem, waiters stem
-- Returns {jobs nobody waited for, tenants left on the ring, jobs}

local most, turns = tonumber(ARGV[1]), tonumber(ARGV[2])
local group, consumer = ARGV[3], ARGV[4]

local function read_one(jobs_key)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', jobs_key, '>')
  if reply and reply.err then
    if not string.find(reply.err, 'NOGROUP', 1, true) or redis.call('EXISTS', jobs_key) == 0 then
      return nil
    end
    redis.call('XGROUP', 'CREATE', jobs_key, group, '0')
    reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 1, 'STREAMS', jobs_key, '>')
  end
  return reply and reply[1][2][1] or nil
end

local expired, jobs = 0, {}
while #jobs < most and turns > 0 do
  turns = turns - 1
  local tenant = redis.call('LPOP', KEYS[1])
  if not tenant then
    break
  end
  local jobs_key = ARGV[5] .. tenant
  local entry = read_one(jobs_key)
  if entry then
    redis.call('RPUSH', KEYS[1], tenant)
    local job = to_deliver(entry, tenant, jobs_key, group, ARGV[6] .. tenant .. ':', 1)
    if job then
      jobs[#jobs + 1] = job
    else
      expired = expired + 1
    end
  else
    -- Found empty: off the ring. A tenant stays busy while workers hold jobs of it.
    redis.call('SREM', KEYS[2], tenant)
    if redis.call('EXISTS', jobs_key) == 0 or redis.call('XLEN', jobs_key) == 0 then
      redis.call('SREM', KEYS[3], tenant)
    end
  end
end
return {expired, redis.call('LLEN', KEYS[1]), jobs}
