-- Reads the packed orders of ARGV[3] (OutboxBlob in Swift has the layout) for deduct and release; ARGV[4…] are the SKU
-- numbers in the order of the key pairs.
--
-- An order's line points to its pair and to the place of its flow in that pair's HMGET answer. A ledger entry reads
-- "<quantity><t|c><n>.<digest>": taken or cancelled by entry n. Where a SKU is limited per buyer, its ledger also says what
-- each buyer holds of it: field `@<buyer>`, longer than any flow, value the units; a buyer who holds none has no field.
local blob = ARGV[3]
local pairsCount = #KEYS / 2 - 1
local pairOf, fields, fieldCounts = {}, {}, {}
for i = 1, pairsCount do
  pairOf[tonumber(ARGV[3 + i])] = i
  fields[i], fieldCounts[i] = {'#'}, 1
end

local unpackStruct = struct.unpack
local _, kindByte, _, orderCount, position = unpackStruct('<BBc6I2', blob)
local flows, digests = {}, {}
local pairAt, quantityAt, fieldAt = {}, {}, {} -- the first line of each order
local moreLines = {}                           -- the others: {pair, quantity, field, pair, …}
local spread = false                           -- whether the tables above are filled
local function spreadOut()
  if spread then return end
  spread = true
  local flows, digests, pairAt, quantityAt, fieldAt = flows, digests, pairAt, quantityAt, fieldAt
  local fields, fieldCounts, pairOf = fields, fieldCounts, pairOf
  for i = 1, orderCount do
    local flow, digest, lineCount, sku, quantity
    flow, digest, lineCount, sku, quantity, position = unpackStruct('<c16c6BI4I4', blob, position)
    local pair = pairOf[sku]
    local field = fieldCounts[pair] + 1
    fields[pair][field], fieldCounts[pair] = flow, field
    flows[i], digests[i], pairAt[i], quantityAt[i], fieldAt[i] = flow, digest, pair, quantity, field
    if lineCount > 1 then
      local more, count = {}, 0
      for _ = 2, lineCount do
        sku, quantity, position = unpackStruct('<I4I4', blob, position)
        pair = pairOf[sku]
        field = fieldCounts[pair] + 1
        fields[pair][field], fieldCounts[pair] = flow, field
        more[count + 1], more[count + 2], more[count + 3] = pair, quantity, field
        count = count + 3
      end
      moreLines[i] = more
    end
  end
end
-- The hot path of a hot SKU: deductions of one SKU, so one line an order, and the place of its flow in the HMGET answer is its
-- own behind the control. `hot` becomes the HSET of all of them: '#', '', flow, rest, flow, rest, …; a rest, 15 bytes, is one
-- string for all orders that are alike, so deduct.lua reads it once and puts the ledger entry in its place. Two strings an order
-- fit Lua's stack (8,000) up to some number of orders.
local hotOrdersMax = 2000
local hot
if pairsCount == 1 and kindByte == 1 and orderCount <= hotOrdersMax and #blob == 10 + 31 * orderCount then
  hot = {'#', '', unpackStruct(string.rep('c16c15', orderCount), blob, position)}
  hot[2 * orderCount + 3] = nil
  local list = fields[1]
  for i = 1, orderCount do list[i + 1] = hot[2 * i + 1] end
else
  spreadOut()
end
local buyers -- order → its buyer's ledger field
if kindByte % 128 >= 64 then
  buyers = {}
  local nobody = string.rep('\0', 16)
  for i = 1, orderCount do
    local buyer = string.sub(blob, position, position + 15)
    if buyer ~= nobody then buyers[i] = '@' .. buyer end
    position = position + 16
  end
end

local skus, entries = {}, {}
local damage
local isLimited = false
-- Stocks of many SKUs are read and written at once: MGET and MSET cost more than GET and DECRBY for few, and less from about
-- seven on. (Lua unpacks at most 7,000 values.)
local stocks
if pairsCount >= 7 and pairsCount <= 3000 then
  stocks = {}
  for i = 1, pairsCount do stocks[i] = KEYS[1 + 2 * i] end
  stocks = redis.call('MGET', unpack(stocks))
end
for i = 1, pairsCount do
  local answer = getFields(KEYS[2 + 2 * i], fields[i])
  local sku, reason = readSKU(i, answer[1], stocks)
  if not sku then damage = reason; break end
  if sku.limit then isLimited = true end
  skus[i], entries[i] = sku, answer
end

-- What the buyers of this call hold of limited SKUs: pair → buyer's field → units. Read only where there is a limit.
local held, heldChanged, hold, heldFields
if isLimited and not damage then
  spreadOut()
  held, heldChanged = {}, {}
  local wanted = {}
  local function want(pair, buyer)
    if not skus[pair].limit then return end
    local units = held[pair]
    if not units then
      units = {}
      held[pair], wanted[pair], heldChanged[pair] = units, {}, {}
    end
    if not units[buyer] then
      units[buyer] = 0
      wanted[pair][#wanted[pair] + 1] = buyer
    end
  end
  for i, buyer in pairs(buyers or {}) do
    want(pairAt[i], buyer)
    local more = moreLines[i]
    if more then
      for k = 1, #more, 3 do want(more[k], buyer) end
    end
  end
  for pair, list in pairs(wanted) do
    local answer = getFields(KEYS[2 + 2 * pair], list)
    for k = 1, #list do held[pair][list[k]] = tonumber(answer[k] or '0') or 0 end
  end

  -- Notes that the buyer of order i holds `quantity` units more of a pair's SKU.
  hold = function(i, pair, quantity)
    if not skus[pair].limit or not buyers or not buyers[i] then return end
    local buyer = buyers[i]
    held[pair][buyer] = math.max(0, held[pair][buyer] + quantity)
    heldChanged[pair][buyer] = true
  end

  -- Writes what changed of it: into `fields` of an HSET, and the fields to remove into the answer.
  heldFields = function(pair, fields)
    local gone = {}
    for buyer in pairs(heldChanged[pair] or {}) do
      local units = held[pair][buyer]
      if units > 0 then
        fields[#fields + 1] = buyer
        fields[#fields + 1] = int(units)
      else
        gone[#gone + 1] = buyer
      end
    end
    return gone
  end
end

-- The recorded entry of order i: nil if no line has one, false if only some have (the ledger is damaged).
local function recorded(i)
  local first = entries[pairAt[i]][fieldAt[i]]
  local more = moreLines[i]
  if more then
    for k = 1, #more, 3 do
      if (entries[more[k]][more[k + 2]] and true or false) ~= (first and true or false) then
        return false
      end
    end
  end
  return first or nil
end

-- A flow with several lines under which some SKU is recorded with another digest.
local function otherDigest(i)
  local digest = digests[i]
  local first = entries[pairAt[i]][fieldAt[i]]
  if first and string.sub(first, -6) ~= digest then return true end
  local more = moreLines[i]
  if more then
    for k = 1, #more, 3 do
      local entry = entries[more[k]][more[k + 2]]
      if entry and string.sub(entry, -6) ~= digest then return true end
    end
  end
  return false
end
