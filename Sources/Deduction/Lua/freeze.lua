-- Freezes or thaws one SKU. Head: fence.lua, then `pass`.
--
-- ARGV 3 blob for the outbox · 4 `1` frozen, `0` thawed. Answer: {n, letter, '', stock}: R set now · r was so before
local sku, reason = readSKU(1, redis.call('HGET', KEYS[4], '#'))
if not sku then return fenced(reason, ARGV[1]) end
if sku.frozen == ARGV[4] then return {n, 'r', '', sku.stock} end
local id, why = announce(n + 1, ARGV[3], 'R')
if not id then return fenced(why, ARGV[1]) end
sku.frozen = ARGV[4]
redis.call('HSET', KEYS[4], '#', controlText(sku, n + 1))
return {n + 1, 'R', '', sku.stock}
