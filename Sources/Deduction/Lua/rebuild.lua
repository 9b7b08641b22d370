-- Recovery, step 5: one bounded step of rebuilding ledgers, under the recovery's own epoch. Head: fence.lua.
--
-- ARGV 1 epoch · 2 `0` · 3 `clear` first: the keys of all pairs go; `fill` after · then fields and values of the first pair. Answer: {1} or {-1, reason, epoch}.
local n, failure = pass({recovering = true})
if not n then return failure end
if ARGV[3] == 'clear' then redis.call('UNLINK', unpack(KEYS, 3)) end
for first = 4, #ARGV, 6000 do
  redis.call('HSET', KEYS[4], unpack(ARGV, first, math.min(first + 5999, #ARGV)))
end
return {1}
