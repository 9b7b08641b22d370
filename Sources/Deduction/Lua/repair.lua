-- Mends one SKU by a delta, at most once. Head: fence.lua, then `pass`.
--
-- ARGV 3 blob for the outbox · 4 its results · 5 repair id · 6 delta of taken (stock moves by its negative) ·
--      then ledger fields and values to set, `@` standing for the entry's n.
-- Answer: {n, letter, '', stock}: R applied now · r applied before · S not enough stock
local sku, reason = readSKU(1, redis.call('HGET', KEYS[4], '#'))
if not sku then return fenced(reason, ARGV[1]) end
local mark = '!' .. ARGV[5]
if redis.call('HEXISTS', KEYS[4], mark) == 1 then return {n, 'r', '', sku.stock} end
local delta = tonumber(ARGV[6])
if sku.stock - delta < 0 or sku.taken + delta < 0 then return {n, 'S', '', sku.stock} end
local id, why = announce(n + 1, ARGV[3], ARGV[4])
if not id then return fenced(why, ARGV[1]) end
sku.taken, sku.stock = sku.taken + delta, sku.stock - delta
redis.call('SET', KEYS[3], int(sku.stock))
local fields = {'#', controlText(sku, n + 1), mark, ARGV[6]}
for i = 7, #ARGV, 2 do
  fields[#fields + 1] = ARGV[i]
  fields[#fields + 1] = (string.gsub(ARGV[i + 1], '@', int(n + 1)))
end
setFields(KEYS[4], fields)
return {n + 1, 'R', '', sku.stock}
