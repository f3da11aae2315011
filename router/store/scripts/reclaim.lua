-- A worker takes over the jobs of dead ones, and puts forgotten tenants back on the ring.
-- ARGV: idle ms, tenants, jobs per lane
-- Returns {jobs nobody waited for, tenants put back, jobs}

local now = now_ms()
local idle, count = tonumber(ARGV[1]), ARGV[3]
local expired, rung, jobs = 0, 0, {}

local function hand_out_again(tenant, lane, id)
  local job = read_job(tenant, id)
  local left = job and last_deadline(tenant, id, job) - now or 0
  if not job then
    -- Lost, or settled and late: its worker has died in between.
    drop_job(tenant, lane, id)
    ring(tenant)
  elseif left <= 0 then
    expired = expired + 1
    dismiss(tenant, lane, id, job.digest)
    ring(tenant)
  else
    redis.call('ZADD', held_key(tenant, lane), whole(now), id)
    local deliveries = redis.call('HINCRBY', JOBS, tenant .. ' ' .. id .. '+', 1) + 1
    jobs[#jobs + 1] = {tenant, id, job.job, job.digest, left, deliveries, job.first_waiter, lane}
  end
end

-- Whether any job of the lane waits.
local function look_after(tenant, lane)
  local held = held_key(tenant, lane)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', held, '-inf', whole(now - idle), 'LIMIT', 0, count)) do
    hand_out_again(tenant, lane, id)
  end
  if redis.call('EXISTS', waiting_key(tenant, lane)) == 1 then
    return true
  end
  if redis.call('EXISTS', held) == 0 then
    redis.call('ZREM', lanes_key(tenant), lane)
  end
  return false
end

wake_due(now, tonumber(ARGV[2]))
for _, tenant in ipairs(redis.call('HRANDFIELD', QUEUED, ARGV[2])) do
  local has_work = false
  for _, lane in ipairs(redis.call('ZRANGE', lanes_key(tenant), 0, -1)) do
    has_work = look_after(tenant, lane) or has_work
  end
  if redis.call('EXISTS', lanes_key(tenant)) == 0 then
    redis.call('HDEL', QUEUED, tenant)
  elseif has_work and not redis.call('ZSCORE', LATER, tenant) and not redis.call('LPOS', READY, tenant) then
    redis.call('SADD', RINGED, tenant)
    redis.call('RPUSH', READY, tenant)
    rung = rung + 1
  end
end
if redis.call('EXISTS', QUEUED) == 0 then
  redis.call('DEL', JOBS)
end
return {expired, rung, jobs}
