-- Recovery, step 2: closes a bucket under a new epoch; only over a smaller or missing one. Head: fence.lua.
--
-- ARGV 1 the new epoch · 2 the identity of the caller's sale (without it, the one that is there stays). A bucket that names
-- another sale is not the caller's to close; one that names none is taken over.
-- Answer: {1, epoch before, n before, was, same process, whether the server ever had or was a replica} or
-- {-1, reason, epoch}.
--
-- `was` is the bucket's last id where nothing but the lineage has changed since it was open; else ''. It is kept until the
-- opening: a recovery that ends half way leaves it to the next one, unless a rebuild has begun, which takes the SKUs' controls.
-- The watermark stays until the opening brings SQL's: without one, an order that was archived would be taken again.
local isMaster, lineage, info = replication()
if not isMaster then return fenced('replica') end
local before = redis.pcall('HMGET', KEYS[1], 'epoch', 'n', 'state', 'lineage', 'was', 'process', 'watermark', 'sale')
if before.err then before = {} end -- a key of another type holds no epoch
local old = tonumber(before[1] or '0') or 0
local sale = before[8] or ''
if ARGV[2] and ARGV[2] ~= '' then
  if sale ~= '' and sale ~= ARGV[2] then return fenced('otherSale', before[1]) end
  sale = ARGV[2]
end
if old >= tonumber(ARGV[1]) then return fenced('epoch', before[1]) end
local state, was = before[3], ''
if state == 'recovering' then
  was = before[5] or ''
elseif state and before[2] and before[4] and before[4] ~= lineage then
  was = before[1] .. '-' .. before[2]
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'state', 'recovering', 'lineage', lineage, 'n', '0',
  'watermark', before[7] or '', 'was', was, 'process', before[6] or '', 'sale', sale)
return {1, before[1] or '0', before[2] or '0', was, before[6] == process() and 1 or 0, everReplicated(info) and 1 or 0}
