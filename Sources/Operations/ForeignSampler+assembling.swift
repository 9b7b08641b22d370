import Inventory
import Redis
import Telemetry

/// What was read, as the screen has it.
extension ForeignSampler {
    /// Rows are made once and changed in place: there may be 100,000.
    func assembleStock() {
        let nodes = cluster.status
        var nodeOfSlot: [Int?] = Array(repeating: nil, count: HashSlot.count)
        for (index, node) in nodes.enumerated() {
            for range in node.slotRanges { for slot in range { nodeOfSlot[slot] = index } }
        }
        var skus = snapshot.skus
        // The one copy that the screen holds must not be changed under it; ours is let go before it is written.
        snapshot.skus = []
        skus.reserveCapacity(scan.rows.count)
        for position in skus.count..<max(skus.count, book.entries.count) {
            let row = scan.rows[position]
            var shown = WarRoomSnapshot.SKU(
                number: SKUNumber(rawValue: Int32(position)), sku: row.sku,
                name: String(decoding: row.stockKey, as: UTF8.self),
                tag: row.tag ?? Self.hashTag(row.stockKey) ?? row.sku,
                node: nil, allocated: 0, stock: nil, taken: 0, unitsPerSecond: 0, history: [], frozen: false,
                fenced: false, oversold: 0)
            shown.lowShare = thresholds.lowStockShare
            shown.isForeign = true
            skus.append(shown)
        }
        for position in skus.indices {
            let entry = book.entries[position]
            skus[position].node = nodeOfSlot[scan.rows[position].slot]
            skus[position].stock = entry.stock
            skus[position].allocated = entry.stockMax
            skus[position].taken = entry.sold
            skus[position].unitsPerSecond = entry.rate
            skus[position].ledgerEntries = entry.ledger
            skus[position].history = book.history(position)
            skus[position].hour = book.hour(position)
        }
        snapshot.skus = skus
        // A stock below zero is all that keys tell of it.
        snapshot.drift.oversoldUnits = skus.reduce(0) { $0 + max(0, -($1.stock ?? 0)) }
        snapshot.orders = WarRoomSnapshot.Orders(
            acceptedPerSecond: book.perSecond, history: book.history, accepted: book.sold)
        let entries = book.entries.reduce(Int64(0)) { $0 + ($1.ledger ?? 0) }
        snapshot.ledger = WarRoomSnapshot.Ledger(
            entries: entries, entriesPerSecond: keys.ledger == nil ? 0 : book.perSecond,
            history: keys.ledger == nil ? [] : book.history, redisBytes: memory.usedBytes)
        snapshot.ledger.memoryLimitBytes = memory.limitBytes
        let limits = memory.limits
        snapshot.ledger.memoryFullSeconds = limits.compactMap { trends.secondsUntilFull($0.key, limit: $0.value) }.min()
        snapshot.series.memory = memory.history
    }

    private static func hashTag(_ key: [UInt8]) -> String? {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")),
            let close = key[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        else { return nil }
        return String(decoding: key[(open + 1)..<close], as: UTF8.self)
    }

    /// Slots and nodes: where it is hot, and how the servers do.
    func assemblePlaces() {
        struct Slot {
            var rate = 0.0
            var count = 0
            var tag = ""
            var node: Int?
            var skus: [String] = []
        }
        let now = start.duration(to: .now) / .seconds(1)
        var slots = [Slot](repeating: Slot(), count: HashSlot.count)
        for (position, sku) in snapshot.skus.enumerated() {
            let slot = scan.rows[position].slot
            if slots[slot].count == 0 { (slots[slot].tag, slots[slot].node) = (sku.tag, sku.node) }
            slots[slot].count += 1
            slots[slot].rate += sku.unitsPerSecond
        }
        for position in book.hottest(SweepPlan.hotMax) where position < snapshot.skus.count {
            let slot = scan.rows[position].slot
            if slots[slot].skus.count < 4 { slots[slot].skus.append(snapshot.skus[position].sku) }
        }
        let used = slots.indices.filter { slots[$0].count > 0 }
        snapshot.buckets = used.map { slot in
            WarRoomSnapshot.Bucket(
                tag: slots[slot].tag, slot: slot, node: slots[slot].node, ordersPerSecond: slots[slot].rate,
                skuCount: slots[slot].count, skus: slots[slot].skus)
        }
        snapshot.bucketCount = used.count
        snapshot.hottestTags = used.filter { slots[$0].rate > 0 }.sorted { slots[$0].rate > slots[$1].rate }.prefix(10)
            .map { slot in
                WarRoomSnapshot.Tag(
                    tag: slots[slot].tag, slot: slot, node: slots[slot].node, ordersPerSecond: slots[slot].rate,
                    skus: slots[slot].skus, fenced: false)
            }
        snapshot.nodes = cluster.status.enumerated().map { index, node in
            let address = node.address.description
            var shown = WarRoomSnapshot.Node(
                address: address, isUp: node.isUp,
                sinceSeconds: max(0, node.since.duration(to: .now) / .seconds(1)),
                ordersPerSecond: used.reduce(0) { slots[$1].node == index ? $0 + slots[$1].rate : $0 },
                callsPerSecond: node.callsPerSecond, p99Milliseconds: node.p99 / .milliseconds(1), errors: node.errors,
                buckets: used.count { slots[$0].node == index }, fencedBuckets: 0, memoryBytes: memory.used[address])
            shown.slots = node.slotRanges
            shown.inFlight = node.inFlight
            shown.p50Milliseconds = node.p50 / .milliseconds(1)
            shown.lastError = node.lastError
            shown.memoryLimitBytes = memory.own[address]
            // Calls that are forbidden are errors, too, and told by themselves.
            if denied.isEmpty {
                trends.add(
                    address, at: now, bytes: shown.memoryBytes, errors: node.errors, callsPerSecond: node.callsPerSecond
                )
            }
            return shown
        }
    }

    func alerts() -> [WarRoomSnapshot.Alert] {
        var all: [AlertCondition] = []
        for (index, node) in snapshot.nodes.enumerated() {
            if !node.isUp {
                all.append(
                    AlertCondition(
                        kind: .nodeDown, subject: node.address, severity: .bad,
                        text: "node \(index + 1) down \(Alerts.tenths(node.sinceSeconds)) s: "
                            + "\(node.buckets.counted("slot")) with stock cannot be read"))
            }
        }
        all += lossAlerts()
        if !denied.isEmpty {
            let rules = Set(denied.map(\.rule)).sorted().joined(separator: " ")
            all.append(
                AlertCondition(
                    kind: .other, subject: "denied", severity: .warning,
                    text: "some of it cannot be seen: allow this user \(rules)"))
        }
        let negative = snapshot.skus.filter { ($0.stock ?? 0) < 0 }
        if let worst = negative.min(by: { ($0.stock ?? 0) < ($1.stock ?? 0) }) {
            let others = negative.count > 1 ? " and \((negative.count - 1).counted("other"))" : ""
            all.append(
                AlertCondition(
                    kind: .oversold, severity: .bad,
                    text: "OVERSOLD: the stock of \(worst.sku)\(others) is below zero: \((worst.stock ?? 0).inGroups)"))
        }
        all += Alerts.ofLoad(snapshot, trends: trends, memoryLimits: memory.limits, thresholds: thresholds)
        let (alerts, news) = alertBook.take(
            all, seconds: began.duration(to: .now) / .seconds(1), unixMilliseconds: WallClock.milliseconds)
        for one in news { events.add(one.severity, one.text, of: one.alert, one.subject) }
        return alerts
    }
}
