-- Sets what the acts on a sale make of one bucket: its state, and which of its SKUs are frozen. Head: fence.lua, then `pass`.
--
-- KEYS name every SKU of the bucket.
-- ARGV 3 blob for the outbox · 4 `open`, `halted` or `closed` · 5 the number of the last act in it · then for each pair `1` frozen,
-- `0` not. Answer: {n, letter, ''}: R set now · r was so before · N the bucket has a newer act: nothing was set.
--
-- A halt waits for no damage: a SKU whose control is gone or unreadable gets its flag from the recovery that it needs.
local before = redis.call('HMGET', KEYS[1], 'state', 'act')
if tonumber(before[2] or '0') > tonumber(ARGV[5]) then return {n, 'N', ''} end
local changed = {}
for i = 1, #KEYS / 2 - 1 do
  local text = redis.pcall('HGET', KEYS[2 + 2 * i], '#')
  local sku = type(text) == 'string' and control(text) or nil
  if sku and sku.frozen ~= ARGV[5 + i] then
    sku.frozen = ARGV[5 + i]
    changed[#changed + 1] = {KEYS[2 + 2 * i], sku}
  end
end
if before[1] == ARGV[4] and before[2] == ARGV[5] and #changed == 0 then return {n, 'r', ''} end
local id, why = announce(n + 1, ARGV[3], 'R')
if not id then return fenced(why, ARGV[1]) end
redis.call('HSET', KEYS[1], 'state', ARGV[4], 'act', ARGV[5])
for i = 1, #changed do redis.call('HSET', changed[i][1], '#', controlText(changed[i][2], n + 1)) end
return {n + 1, 'R', ''}
