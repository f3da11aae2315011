-- A worker takes over the jobs of dead ones, and puts forgotten tenants back on the ring.
-- KEYS: ready, ringed, busy
-- ARGV: idle ms, tenants, jobs per tenant, group, consumer, jobs stem, waiters stem
-- Returns {jobs nobody waited for, tenants put back, jobs}

local idle, count = ARGV[1], ARGV[3]
local group, consumer = ARGV[4], ARGV[5]
local expired, rung, jobs = 0, 0, {}

local function reclaim(tenant, jobs_key)
  local reply = redis.call('XAUTOCLAIM', jobs_key, group, consumer, idle, '0-0', 'COUNT', count)
  for _, entry in ipairs(reply[2]) do
    local held = redis.call('XPENDING', jobs_key, group, entry[1], entry[1], 1)
    local deliveries = held[1] and held[1][4] or 1
    local job = to_deliver(entry, tenant, jobs_key, group, ARGV[7] .. tenant .. ':', deliveries)
    if job then
      jobs[#jobs + 1] = job
    else
      expired = expired + 1
    end
  end
end

for _, tenant in ipairs(redis.call('SRANDMEMBER', KEYS[3], ARGV[2])) do
  local jobs_key = ARGV[6] .. tenant
  if redis.call('EXISTS', jobs_key) == 0 or redis.call('XLEN', jobs_key) == 0 then
    redis.call('SREM', KEYS[3], tenant)
  else
    local made = redis.pcall('XGROUP', 'CREATE', jobs_key, group, '0')
    if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
      return redis.error_reply(made.err)
    end
    reclaim(tenant, jobs_key)
    local held = redis.call('XPENDING', jobs_key, group)[1]
    if redis.call('XLEN', jobs_key) > held and not redis.call('LPOS', KEYS[1], tenant) then
      redis.call('SADD', KEYS[2], tenant)
      redis.call('RPUSH', KEYS[1], tenant)
      rung = rung + 1
    end
  end
end
return {expired, rung, jobs}
