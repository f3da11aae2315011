-- Put before every script. All moments are milliseconds of Redis's own clock, so that no other clock matters.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A flight is a hash: field '' names the job that carries it and that job's deadline, every other field is a
-- waiter and its value that waiter's deadline.
local function flight_head(waiters_key)
  local head = redis.call('HGET', waiters_key, '')
  if not head then
    return nil, 0
  end
  local id, deadline = string.match(head, '^(%S+) (%d+)$')
  return id, tonumber(deadline) or 0
end

-- When the last of a job's waiters goes; 0 when its question is settled already.
local function last_deadline(waiters_key, id, deadline)
  if flight_head(waiters_key) ~= id then
    return 0
  end
  local flight = redis.call('HGETALL', waiters_key)
  for i = 1, #flight, 2 do
    if flight[i] ~= '' then
      deadline = math.max(deadline, tonumber(flight[i + 1]) or 0)
    end
  end
  return deadline
end

local function end_job(jobs_key, group, waiters_key, id)
  redis.call('XACK', jobs_key, group, id)
  redis.call('XDEL', jobs_key, id)
  if flight_head(waiters_key) == id then
    redis.call('DEL', waiters_key)
  end
end

local function fields_of(entry)
  local fields = {}
  local flat = entry[2] or {}
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
  end
  return fields
end

-- A job in the form that the worker reads, or nil when nobody waits for it any longer: then it is ended here.
-- An entry without a deadline is not ours; the worker is told, and drops it.
local function to_deliver(entry, tenant, jobs_key, group, waiters_stem, deliveries)
  local id, fields = entry[1], fields_of(entry)
  local deadline = tonumber(fields['d'])
  local digest = fields['k'] or ''
  if not deadline then
    return {tenant, id, '', digest, 0, deliveries, ''}
  end
  local waiters_key = waiters_stem .. digest
  local left = last_deadline(waiters_key, id, deadline) - now_ms()
  if left <= 0 then
    end_job(jobs_key, group, waiters_key, id)
    return nil
  end
  return {tenant, id, fields['j'] or '', digest, left, deliveries, fields['w'] or ''}
end
