-- A worker ends a job: the answer into the cache, the job off the queue, the waiters to be answered, and what it
-- tells of its CRM into the lane's state.
-- ARGV: job id, tenant, lane, digest, cached value or '', kept ms, '1' when the answer is good for everybody,
--   health, problem, requests more than expected, ms that the CRM wants to be left alone, which part of it
--   is settled: 'whole', 'in time' when it goes on for the cache alone, or then 'late'
-- Returns {waiters, an old answer that still serves or '', what became of the breaker}

local id, tenant, lane, digest = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local value, kept, is_good = ARGV[5], tonumber(ARGV[6]), ARGV[7] == '1'
local more, pause = tonumber(ARGV[10]), tonumber(ARGV[11])

local cache, flight, key = cache_key(tenant, digest), waiters_key(tenant, digest), state_key(tenant, lane)
if kept > 0 then
  redis.call('SET', cache, value, 'PX', string.format('%d', kept))
end

local job, is_late = read_job(tenant, id), ARGV[12] == 'late'
local is_failure = ARGV[8] == 'unwell' or ARGV[8] == 'slow'
if drop_job(tenant, lane, id) and redis.call('EXISTS', key) == 1 or is_failure or pause > 0 then
  local now, state = now_ms(), read_state(key)
  -- What goes on tells of its CRM when it has ended.
  if is_late or (job and ARGV[12] == 'whole') then
    note_health(key, state, id, ARGV[8], now, ARGV[9])
  end
  if job then
    spend(key, state, job.interval, more, now)
  end
  if pause > 0 and now + pause > state.paused then
    keep_state(key, 'z', whole(now + pause))
  end
end
if ARGV[12] == 'in time' then
  -- Its CRM is still busy with it. Where its worker dies, reclaiming takes it off.
  redis.call('ZADD', held_key(tenant, lane), whole(now_ms()), id)
  redis.call('PEXPIRE', held_key(tenant, lane), STATE_MS)
end
if redis.call('EXISTS', waiting_key(tenant, lane)) == 1 then
  ring(tenant)
elseif redis.call('EXISTS', held_key(tenant, lane)) == 0 then
  redis.call('ZREM', lanes_key(tenant), lane)
end

local waiters, old = {}, ''
local carrier = flight_head(flight)
-- Somebody else may have settled this job, and the same question may be under way again: its waiters are served
-- by a good answer, and left to the new job by an error.
if carrier and (carrier == id or is_good) then
  for _, waiter in ipairs(redis.call('HKEYS', flight)) do
    if waiter ~= '' then
      waiters[#waiters + 1] = waiter
    end
  end
  redis.call('DEL', flight)
  if not is_good and #waiters > 0 then
    old = redis.call('GET', cache) or ''
  end
end
return {waiters, old, turned}
