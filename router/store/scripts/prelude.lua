-- Put before every script. All moments are milliseconds of Redis's own clock, so that no other clock matters.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
