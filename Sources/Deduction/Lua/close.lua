-- Recovery, step 2: closes a bucket under a new epoch; only over a smaller or missing one. Head: fence.lua.
--
-- The watermark stays until the opening brings SQL's: without one, an order that was archived would be taken again.
--
-- ARGV 1 the new epoch. Answer: {1, epoch before, n before} or {-1, reason, epoch}.
local isMaster, lineage = replication()
if not isMaster then return fenced('replica') end
local before = redis.pcall('HMGET', KEYS[1], 'epoch', 'n', 'watermark')
if before.err then before = {} end -- a key of another type holds no epoch
local old = tonumber(before[1] or '0') or 0
if old >= tonumber(ARGV[1]) then return fenced('epoch', before[1]) end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'state', 'recovering', 'lineage', lineage, 'n', '0',
  'watermark', before[3] or '')
return {1, before[1] or '0', before[2] or '0'}
