-- Gives stock back, or forbids a flow in advance. Head: fence.lua, then `pass`, then orders.lua.
--
-- With `keepsTaken` it gives nothing back: it forbids only what is not there, and answers K for a flow that is taken, with
-- the entry that took it as deduct.lua tells duplicates.
--
-- Answer: {n, results, kept, stock of each pair …}; a letter for each order:
--   R given back · r cancelled before · T not there: a tombstone now forbids it · C the flow carries another order: untouched
-- An order beyond capacity stands in the ledger with 0 units: it holds nothing, so it becomes a tombstone.
if damage then return fenced(damage, ARGV[1]) end

local nextN = n + 1
local mark = 'c' .. int(nextN) .. '.'
local results, seen, kept = {}, {}, {}
local writes, given = {}, {}
local done = false

local function write(pair, flow, quantity, digest, back)
  local list = writes[pair]
  if not list then
    list = {'#', ''}
    writes[pair] = list
  end
  list[#list + 1] = flow
  list[#list + 1] = quantity .. mark .. digest
  if back then
    given[pair] = (given[pair] or 0) + quantity
    skus[pair].stock = skus[pair].stock + quantity
  end
end

for i = 1, orderCount do
  local flow, digest = flows[i], digests[i]
  local result
  if seen[flow] then
    result = seen[flow] == digest and 'r' or 'C'
  elseif otherDigest(i) then
    result = 'C'
  else
    local entry = recorded(i)
    if entry == false then return fenced('damaged', ARGV[1]) end
    local units, kind
    if entry then units, kind = string.match(entry, '^(%d+)([tc])') end
    if kind == 'c' then
      result = 'r'
    elseif kind and keepsTaken then
      result = 'K'
      kept[#kept + 1] = i .. ':' .. string.match(entry, '^%d+t(%d+)%.')
    else
      result = kind == 't' and units ~= '0' and 'R' or 'T'
      done = true
      seen[flow] = digest
      local back = result == 'R'
      write(pairAt[i], flow, quantityAt[i], digest, back)
      local more = moreLines[i]
      if more then
        for k = 1, #more, 3 do write(more[k], flow, more[k + 1], digest, back) end
      end
    end
  end
  results[i] = result
end

results = table.concat(results)
if done then
  local id, reason = announce(nextN, blob, results)
  if not id then return fenced(reason, ARGV[1]) end
  n = nextN
  for pair, list in pairs(writes) do
    local sku = skus[pair]
    local back = given[pair] or 0
    sku.taken = sku.taken - back
    if back > 0 then redis.call('INCRBY', KEYS[1 + 2 * pair], int(back)) end
    list[2] = controlText(sku, n)
    setFields(KEYS[2 + 2 * pair], list)
  end
end
local answer = {n, results, table.concat(kept, ' ')}
for i = 1, pairsCount do answer[3 + i] = skus[i].stock end
return answer
