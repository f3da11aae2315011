-- A worker ends a job: the answer into the cache, the job off the queue, the waiters to be answered.
-- KEYS: cache, waiters, jobs, busy
-- ARGV: job id, cached value or '', kept ms, group, tenant, '1' when the answer is good for everybody
-- Returns the waiters

local id, value, kept = ARGV[1], ARGV[2], tonumber(ARGV[3])
if kept > 0 then
  redis.call('SET', KEYS[1], value, 'PX', string.format('%d', kept))
end
redis.call('XACK', KEYS[3], ARGV[4], id)
redis.call('XDEL', KEYS[3], id)
if redis.call('XLEN', KEYS[3]) == 0 then
  redis.call('SREM', KEYS[4], ARGV[5])
end

local waiters = {}
local carrier = flight_head(KEYS[2])
-- Somebody else may have settled this job, and the same question may be under way again: its waiters are served
-- by a good answer, and left to the new job by an error.
if carrier and (carrier == id or ARGV[6] == '1') then
  for _, waiter in ipairs(redis.call('HKEYS', KEYS[2])) do
    if waiter ~= '' then
      waiters[#waiters + 1] = waiter
    end
  end
  redis.call('DEL', KEYS[2])
end
return waiters
