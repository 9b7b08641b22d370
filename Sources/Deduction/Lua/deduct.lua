-- Takes stock for orders, each all lines or none. Head: fence.lua, then `pass`, then orders.lua.
--
-- Answer: {n, results, duplicates, stock of each pair …}; results holds a letter for each order:
--   D done now · d done before · S short · F frozen · C conflict: the flow carries another order · X cancelled
--   O too old: below the watermark and not in the ledger, so only SQL knows what became of it; it is not taken
--   L the buyer would hold more than the SKU's limit, or the SKU is limited and the order names no buyer
-- and duplicates is "i:n i:n …": which entry took the order that is answered `d`.
--
-- Read all, check all, then write, outbox first: Redis does not undo a script that fails half way.
if damage then return fenced(damage, ARGV[1]) end

local nextN = n + 1
local mark = 't' .. int(nextN) .. '.'
local heads = {}           -- quantity → how its ledger entries begin; Lua writes numbers slowly
local results, duplicates = {}, {}
local seen = {}            -- flow → its order in this call
local writes, writeCounts, taken = {}, {}, {}
local done = false

local exceedsLimit
if isLimited then
  local function exceeds(i, pair, quantity)
    local limit = skus[pair].limit
    if not limit then return false end
    if not buyers or not buyers[i] then return true end
    return held[pair][buyers[i]] + quantity > limit
  end

  -- No SKU stands twice in an order, so the lines can be looked at one by one.
  exceedsLimit = function(i)
    if exceeds(i, pairAt[i], quantityAt[i]) then return true end
    local more = moreLines[i]
    if more then
      for k = 1, #more, 3 do
        if exceeds(i, more[k], more[k + 1]) then return true end
      end
    end
    return false
  end
end

local function take(i, pair, quantity)
  if isLimited then hold(i, pair, quantity) end
  local sku = skus[pair]
  sku.stock = sku.stock - quantity
  local list, count = writes[pair], writeCounts[pair]
  if not list then
    list, count = {'#', ''}, 2
    writes[pair], taken[pair] = list, 0
  end
  taken[pair] = taken[pair] + quantity
  local head = heads[quantity]
  if not head then
    head = int(quantity) .. mark
    heads[quantity] = head
  end
  list[count + 1], list[count + 2] = flows[i], head .. digests[i]
  writeCounts[pair] = count + 2
end

-- One SKU and only new flows that are all to be had: what a flash sale is. The first order of which that does not hold ends it,
-- and the general way goes on from there.
local first = 1
if hot and not isLimited and skus[1].frozen == '0' then
  local sku, list, answer = skus[1], fields[1], entries[1]
  local stock = sku.stock
  local rest, quantity, value
  for i = 1, orderCount do
    local flow, thisRest = list[i + 1], hot[2 * i + 2]
    if answer[i + 1] or seen[flow] or watermark and flowMilliseconds(flow) < watermark then break end
    if thisRest ~= rest then
      local digest, lineCount, number
      digest, lineCount, number, quantity = unpackStruct('<c6BI4I4', thisRest)
      if lineCount ~= 1 or pairOf[number] ~= 1 then error('packed orders of another layout') end
      rest, value = thisRest, int(quantity) .. mark .. digest
    end
    if quantity > stock then break end
    stock = stock - quantity
    seen[flow] = i
    hot[2 * i + 2] = value
    first = i + 1
  end
  if first > 1 then
    done = true
    taken[1], sku.stock = sku.stock - stock, stock
    if first <= orderCount then
      hot = {unpack(hot, 1, 2 * first)}
      for i = 1, first - 1 do results[i] = 'D' end
    end
    writes[1], writeCounts[1] = hot, 2 * first
  end
end
if first <= orderCount then spreadOut() end
for i = first, orderCount do
  local flow = flows[i]
  local pair, quantity, more = pairAt[i], quantityAt[i], moreLines[i]
  local earlier = seen[flow]
  local result
  if earlier then
    if digests[earlier] == digests[i] then
      result = 'd'
      duplicates[#duplicates + 1] = i .. ':' .. int(nextN)
    else
      result = 'C'
    end
  else
    local entry = entries[pair][fieldAt[i]]
    if more or entry then
      if otherDigest(i) then
        result = 'C'
      else
        entry = recorded(i)
        if entry == false then return fenced('damaged', ARGV[1]) end
        if entry then
          local kind, entryN = string.match(entry, '^%d+([tc])(%d+)%.')
          if not kind then return fenced('damaged', ARGV[1]) end
          if kind == 'c' then
            result = 'X'
          else
            result = 'd'
            duplicates[#duplicates + 1] = i .. ':' .. entryN
          end
        end
      end
    end
    if result then
    elseif watermark and flowMilliseconds(flow) < watermark then
      result = 'O'
    else
      local sku = skus[pair]
      if sku.frozen == '1' then
        result = 'F'
      elseif quantity > sku.stock then
        result = 'S'
      end
      if more and not result then
        for k = 1, #more, 3 do
          local other = skus[more[k]]
          if other.frozen == '1' then
            result = 'F'
            break
          elseif more[k + 1] > other.stock then
            result = 'S'
            break
          end
        end
      end
      if isLimited and not result and exceedsLimit(i) then result = 'L' end
      if not result then
        result = 'D'
        done = true
        seen[flow] = i
        take(i, pair, quantity)
        if more then
          for k = 1, #more, 3 do take(i, more[k], more[k + 1]) end
        end
      end
    end
  end
  results[i] = result
end

results = first > orderCount and string.rep('D', orderCount) or table.concat(results)
if done then
  local id, reason = announce(nextN, blob, results)
  if not id then return fenced(reason, ARGV[1]) end
  n = nextN
  local left = {}
  for pair, list in pairs(writes) do
    local sku = skus[pair]
    sku.taken = sku.taken + taken[pair]
    if stocks then
      left[#left + 1], left[#left + 2] = KEYS[1 + 2 * pair], int(sku.stock)
    else
      redis.call('DECRBY', KEYS[1 + 2 * pair], int(taken[pair]))
    end
    list[2] = controlText(sku, n)
    if isLimited then heldFields(pair, list) end
    setFields(KEYS[2 + 2 * pair], list)
  end
  if #left > 0 then redis.call('MSET', unpack(left)) end
elseif #duplicates > 0 then
  -- A yes said again may have to wait for replicas, and WAIT counts for what its own connection wrote: write, changing nothing.
  local touched = redis.pcall('HSET', KEYS[1], 'n', int(n))
  if type(touched) == 'table' and touched.err then return fenced(refusal(touched.err), ARGV[1]) end
end
local answer = {n, results, table.concat(duplicates, ' ')}
for i = 1, pairsCount do answer[3 + i] = skus[i].stock end
return answer
