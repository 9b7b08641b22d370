-- Recovery, step 6, the last write: stock and control of every SKU, the entry `<epoch>-0`, the state. Head: fence.lua.
--
-- ARGV 1 epoch · 2 `0` · 3 state · then for each pair: allocated, version, taken, frozen, ledger entries that the rebuild
-- wrote (after a reopening, with the control). Answer: {1} or {-1, reason, epoch}. Entries of older epochs leave the outbox: they are drained, and void.
local n, failure = pass({recovering = true})
if not n then return failure end
for i = 1, #KEYS / 2 - 1 do
  local at = 4 + 5 * (i - 1)
  if redis.call('HLEN', KEYS[2 + 2 * i]) ~= tonumber(ARGV[at + 4]) then return fenced('damaged', ARGV[1]) end
end
if redis.call('TYPE', KEYS[2]).ok ~= 'stream' then redis.call('DEL', KEYS[2]) end
local added = redis.pcall('XADD', KEYS[2], ARGV[1] .. '-0', 'o', '', 'r', '')
if type(added) == 'table' and added.err then return fenced('reusedID', ARGV[1]) end
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[1] .. '-0')
for i = 1, #KEYS / 2 - 1 do
  local at = 4 + 5 * (i - 1)
  local allocated, taken = tonumber(ARGV[at]), tonumber(ARGV[at + 2])
  redis.call('SET', KEYS[1 + 2 * i], int(allocated - taken))
  redis.call('HSET', KEYS[2 + 2 * i], '#',
    string.format('%d %s %d %s 0', allocated, ARGV[at + 1], taken, ARGV[at + 3]))
end
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'was', '', 'process', process())
return {1}
