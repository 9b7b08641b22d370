-- Recovery, step 6, the last write: stock and control of every SKU, the entry `<epoch>-0`, the state. Head: fence.lua.
--
-- ARGV 1 epoch · 2 `0` · 3 state · 4 number of the last act in state and freezes · then for each pair: allocated, version, taken,
-- frozen, ledger fields that the rebuild wrote (after a reopening, with the control) · then SQL's watermark, `` for none (without this argument the one that is there
-- stays) · then for each pair the units that one buyer may hold, `` for any number (without these arguments the limits that
-- are there stay). Answer: {1} or {-1, reason, epoch}. Entries of older epochs leave the outbox: they are drained, and void.
local n, failure = pass({recovering = true})
if not n then return failure end
local trailing = 5 + 5 * (#KEYS / 2 - 1)
for i = 1, #KEYS / 2 - 1 do
  local at = 5 + 5 * (i - 1)
  if redis.call('HLEN', KEYS[2 + 2 * i]) ~= tonumber(ARGV[at + 4]) then return fenced('damaged', ARGV[1]) end
end
if redis.call('TYPE', KEYS[2]).ok ~= 'stream' then redis.call('DEL', KEYS[2]) end
local added = redis.pcall('XADD', KEYS[2], ARGV[1] .. '-0', 'o', '', 'r', '')
if type(added) == 'table' and added.err then return fenced('reusedID', ARGV[1]) end
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[1] .. '-0')
for i = 1, #KEYS / 2 - 1 do
  local at = 5 + 5 * (i - 1)
  local allocated, taken = tonumber(ARGV[at]), tonumber(ARGV[at + 2])
  redis.call('SET', KEYS[1 + 2 * i], int(allocated - taken))
  local limit = ARGV[trailing + i]
  if not limit then
    local before = redis.call('HGET', KEYS[2 + 2 * i], '#')
    before = before and control(before)
    limit = before and before.limit or ''
  end
  redis.call('HSET', KEYS[2 + 2 * i], '#', controlText({
    allocated = allocated, version = tonumber(ARGV[at + 1]), taken = taken, frozen = ARGV[at + 3], limit = tonumber(limit)
  }, 0))
end
if ARGV[trailing] then redis.call('HSET', KEYS[1], 'watermark', ARGV[trailing]) end
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'act', ARGV[4], 'was', '', 'process', process())
return {1}
