-- Takes settled orders below the watermark out of the ledgers, in bounded steps. Head: fence.lua, then `pass`.
--
-- SQL has raised the watermark before and names only orders that are sold, or were given back; all fields of an order go in
-- one step, for half an order in the ledgers would be damage. Stock, taken and n stay as they are: no entry in the outbox.
--
-- ARGV 3 the watermark, 16 bytes as a flow · then for each pair: how many flows, and the flows.
-- Answer: {n, 'R', '', fields removed}. A flow at or above the watermark is left alone.
local wanted = flowMilliseconds(ARGV[3])
if not watermark or wanted > watermark then
  redis.call('HSET', KEYS[1], 'watermark', ARGV[3])
  watermark = wanted
end
local removed, at = 0, 4
for pair = 1, #KEYS / 2 - 1 do
  local count = tonumber(ARGV[at])
  local fields = {}
  for k = at + 1, at + count do
    if #ARGV[k] == 16 and flowMilliseconds(ARGV[k]) < watermark then fields[#fields + 1] = ARGV[k] end
  end
  for first = 1, #fields, 6000 do
    removed = removed
      + redis.call('HDEL', KEYS[2 + 2 * pair], unpack(fields, first, math.min(first + 5999, #fields)))
  end
  at = at + 1 + count
end
return {n, 'R', '', removed}
