-- Applies the numbered movement version → version + 1 of one SKU. Head: fence.lua, then `pass`.
--
-- ARGV 3 blob for the outbox · 4 version before · 5 units; below 0 they are taken off sale again, if so many are left.
-- Answer: {n, letter, '', stock}:
--   R applied now · S fewer are left: the movement is spent, and moved nothing · r decided before
--   G a version is missing in between
local sku, reason = readSKU(1, redis.call('HGET', KEYS[4], '#'))
if not sku then return fenced(reason, ARGV[1]) end
local from, units = tonumber(ARGV[4]), tonumber(ARGV[5])
if sku.version > from then return {n, 'r', '', sku.stock} end
if sku.version < from then return {n, 'G', '', sku.stock} end
-- A refusal is an entry like any other: asked again once units have come back, the same movement must not be applied.
local letter = sku.stock + units < 0 and 'S' or 'R'
local id, why = announce(n + 1, ARGV[3], letter)
if not id then return fenced(why, ARGV[1]) end
if letter == 'S' then units = 0 end
sku.allocated, sku.version, sku.stock = sku.allocated + units, from + 1, sku.stock + units
redis.call('INCRBY', KEYS[3], int(units))
redis.call('HSET', KEYS[4], '#', controlText(sku, n + 1))
return {n + 1, letter, '', sku.stock}
