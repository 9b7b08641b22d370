-- Gives stock back, or forbids a flow in advance. Head: fence.lua, then `pass`, then orders.lua.
--
-- With `keepsTaken` it gives nothing back: it forbids only what is not there, and answers K for a flow that is taken, with
-- the entry that took it as deduct.lua tells duplicates.
--
-- Answer: {n, results, kept, stock of each pair …}; a letter for each order:
--   R given back · r cancelled before · T not there: a tombstone now forbids it · C the flow carries another order: untouched
-- An order beyond capacity stands in the ledger with 0 units: it holds nothing, so it becomes a tombstone.
-- Below the watermark no tombstone is needed, for nothing is taken there any more: the field goes, or none is made.
if damage then return fenced(damage, ARGV[1]) end
spreadOut()

local nextN = n + 1
local mark = 'c' .. int(nextN) .. '.'
local results, seen, kept = {}, {}, {}
local writes, removals, given = {}, {}, {}
local done = false

local function write(i, pair, quantity, back)
  local list = writes[pair]
  if not list then
    list = {'#', ''}
    writes[pair], removals[pair] = list, {}
  end
  if watermark and flowMilliseconds(flows[i]) < watermark then
    list = removals[pair]
    list[#list + 1] = flows[i]
  else
    list[#list + 1] = flows[i]
    list[#list + 1] = quantity .. mark .. digests[i]
  end
  if back then
    given[pair] = (given[pair] or 0) + quantity
    skus[pair].stock = skus[pair].stock + quantity
    if isLimited then hold(i, pair, -quantity) end
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
      write(i, pairAt[i], quantityAt[i], back)
      local more = moreLines[i]
      if more then
        for k = 1, #more, 3 do write(i, more[k], more[k + 1], back) end
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
    local gone = isLimited and heldFields(pair, list) or {}
    setFields(KEYS[2 + 2 * pair], list)
    removeFields(KEYS[2 + 2 * pair], removals[pair])
    removeFields(KEYS[2 + 2 * pair], gone)
  end
end
local answer = {n, results, table.concat(kept, ' ')}
for i = 1, pairsCount do answer[3 + i] = skus[i].stock end
return answer
