import Inventory
import OrderStore
import Testing

/// Random steps on orders over several buckets, beside a model that keeps each order's groups in plain words.
@Suite struct WideOrderWalkTests {
    @Test(
        arguments: StoreKind.all,
        [(1, .durable), (2, .memory), (3, .durable), (4, .memory)] as [(UInt64, Durability)])
    func theStoreDoesWhatTheModelSays(kind: StoreKind, setting: (seed: UInt64, durability: Durability)) async throws {
        var walk = try await WideWalk(kind, seed: setting.seed, durability: setting.durability)
        for step in 1...3_000 {
            try await walk.step()
            if step % 20 == 0 { try await walk.compare(deeply: step % 500 == 0) }
            if walk.hasFailed { break }
        }
        // A walk that never met a case proves nothing about it.
        for word in ["partial", "committed", "cancelled", "overCapacity", "conflict", "stands", "undone", "sold"] {
            #expect(walk.seen.contains(word), "no step met '\(word)'")
        }
        await walk.store.close()
    }
}

private struct WideWalk {
    enum State { case partial, reserved, sold, cancelled, void, overCapacity }
    enum Group { case taken, beyond, ended }
    struct Row {
        let order: WideOrder
        var state: State
        var groups: [BucketNumber: Group] = [:]
    }
    struct Key: Hashable {
        let flow: FlowID
        let digest: OrderDigest
        let bucket: BucketNumber
    }

    let folder: TemporaryFolder
    let store: any OrderStore
    let catalogue: Catalogue
    let isDurable: Bool
    var numbers: SeededNumbers
    var known: [WideOrder] = []
    var rows: [FlowID: Row] = [:]
    /// Whether a give-back is pending; none: never asked for.
    var giveBacks: [Key: Bool] = [:]
    var paid: Set<WideOrder> = []
    var epochs: [BucketNumber: Epoch] = [:]
    var nextN: [BucketNumber: Int64] = [:]
    var seen: Set<String> = []
    var hasFailed = false
    static let units: Int64 = 60

    init(_ kind: StoreKind, seed: UInt64, durability: Durability) async throws {
        folder = try TemporaryFolder()
        store = try kind.open(folder)
        isDurable = durability == .durable
        _ = try await store.createSale(
            SaleDraft(
                name: "walk", durability: durability,
                skus: (0..<6).map { .init(sku: "s\($0)", name: "", tag: "t\($0 / 2)", allocated: Self.units) }))
        catalogue = try await store.catalogue()
        numbers = SeededNumbers(state: seed)
        for bucket in catalogue.buckets { try await recover(bucket.number) }
    }

    private mutating func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &numbers) }

    private mutating func expect<T: Equatable>(_ found: T, _ wanted: T, _ what: String) {
        if found != wanted { hasFailed = true }
        #expect(found == wanted, "\(what)")
    }

    /// Mostly one from before; else a new one, now and then under a flow that is used.
    private mutating func order() throws -> WideOrder {
        if pick(3) > 0, let old = known.suffix(12).randomElement(using: &numbers) { return old }
        let count = 2 + pick(2)
        let buckets = catalogue.buckets.shuffled(using: &numbers).prefix(count)
        let lines = buckets.map { OrderLine(sku: $0.skus[pick(2)], quantity: Int32(1 + pick(3))) }
        let isUsed = pick(12) == 0 && !known.isEmpty
        let flow = isUsed ? known[known.count - 1 - pick(min(9, known.count))].flow : Fixture.flow(known.count + 1)
        let made = try Order.across(flow: flow, lines: lines, catalogue: catalogue).wide!
        known.append(made)
        return made
    }

    // MARK: Steps

    mutating func step() async throws {
        let order = try order()
        let group = order.orders[pick(order.groups.count)]
        switch pick(20) {
        case 0..<9:
            let id = OutboxID(epoch: epochs[group.bucket]!, n: nextN[group.bucket]!)
            nextN[group.bucket]! += 1
            let entry = EntrySettlement(bucket: group.bucket, id: id, action: .deduct([group]))
            let result = try await store.commit(CommitBatch(entries: [entry])).entries[0].words
            let settlement = settle(group, of: order, voids: isDurable)
            // Taken by another entry before, it is told as committed, too.
            let words = "settled \(order.flow.milliseconds):\(settlement)"
            if settlement != "committed" || result != "settled" { expect(result, words, "\(group)") }
        case 9, 10:
            let id = OutboxID(epoch: epochs[group.bucket]!, n: nextN[group.bucket]!)
            let result = try await store.commit(CommitBatch(duplicates: [.init(order: group, id: id)]))
            expect(
                result.duplicates[0].words, "settled \(settle(group, of: order, voids: isDurable))",
                "duplicate \(group)")
        case 11, 12:
            expect("\(try await store.undo([order])[0])", undo(order), "undo \(order.flow)")
        case 13:
            expect("\(try await store.cancel([group])[0])", cancel(order), "cancel \(order.flow)")
        case 14...16:
            let succeeded = pick(3) > 0
            _ = try await store.commit(CommitBatch(payments: [Payment(order: group, succeeded: succeeded)]))
            pay(order, succeeded)
        case 17, 18:
            let mine = try await store.pendingGiveBacks(bucket: group.bucket, limit: 4).map(\.order)
            guard !mine.isEmpty else { return }
            let id = OutboxID(epoch: epochs[group.bucket]!, n: nextN[group.bucket]!)
            nextN[group.bucket]! += 1
            let entry = EntrySettlement(
                bucket: group.bucket, id: id, action: .release(givenBack: mine, tombstones: []))
            _ = try await store.commit(CommitBatch(entries: [entry]))
            for order in mine { giveBacks[key(order)] = false }
        default:
            if pick(8) == 0 { try await recover(group.bucket) }
        }
    }

    private mutating func recover(_ bucket: BucketNumber) async throws {
        let claim = try await store.claimEpoch(bucket: bucket, above: .none, by: "walk")
        let fold = try await store.fold(bucket: bucket, claim: claim)
        _ = try await store.markOpened(bucket: bucket, claim: claim)
        epochs[bucket] = claim
        nextN[bucket] = 1
        for key in giveBacks.keys where key.bucket == bucket { giveBacks[key] = false }
        let counters = counters()
        for sku in fold.skus { expect(sku.taken, counters[sku.sku]!.taken, "fold: taken of \(sku.sku)") }
        for row in fold.ledger {
            let mine = rows[row.flow]
            expect(row.digest, mine?.order.digest ?? OrderDigest(rawValue: 0), "fold: digest of \(row.flow)")
            expect(row.cancelled, mine?.groups[bucket] == .ended, "fold: \(row.flow)")
        }
        let wanted = rows.values.filter { $0.groups[bucket] != nil }.count
        expect(fold.ledger.count, wanted, "fold: entries of \(bucket)")
    }

    // MARK: The model

    private func key(_ order: Order) -> Key { Key(flow: order.flow, digest: order.digest, bucket: order.bucket) }

    private mutating func forbid(_ order: Order) {
        rows[order.flow]!.groups[order.bucket] = .ended
        if giveBacks[key(order)] == nil { giveBacks[key(order)] = true }
    }

    private mutating func settle(_ group: Order, of order: WideOrder, voids: Bool) -> String {
        let result = settling(group, of: order, voids: voids)
        seen.insert(result)
        return result
    }

    private mutating func settling(_ group: Order, of order: WideOrder, voids: Bool) -> String {
        if rows[order.flow] == nil { rows[order.flow] = Row(order: order, state: .partial) }
        guard rows[order.flow]!.order == order else {
            giveBacks[key(group)] = true
            return "conflict"
        }
        switch rows[order.flow]!.state {
        case .reserved, .sold: return "committed"
        case .cancelled, .void:
            giveBacks[key(group)] = true
            return rows[order.flow]!.state == .void ? "overCapacity" : "cancelled"
        case .overCapacity:
            if voids {
                giveBacks[key(group)] = true
            } else if rows[order.flow]!.groups[group.bucket] == nil {
                rows[order.flow]!.groups[group.bucket] = fits(group) ? .taken : .beyond
                if makeWhole(order) { return "committed" }
            }
            return "overCapacity"
        case .partial: break
        }
        guard rows[order.flow]!.groups[group.bucket] == nil else { return "partial" }
        if fits(group) {
            rows[order.flow]!.groups[group.bucket] = .taken
            return makeWhole(order) ? "committed" : "partial"
        }
        if voids {
            rows[order.flow]!.groups[group.bucket] = .ended
            giveBacks[key(group)] = true
            end(order, .void)
        } else {
            rows[order.flow]!.groups[group.bucket] = .beyond
            rows[order.flow]!.state = .overCapacity
        }
        return "overCapacity"
    }

    private mutating func makeWhole(_ order: WideOrder) -> Bool {
        guard order.groups.allSatisfy({ rows[order.flow]!.groups[$0.bucket] == .taken }) else { return false }
        rows[order.flow]!.state = paid.remove(order) == nil ? .reserved : .sold
        return true
    }

    private func fits(_ group: Order) -> Bool {
        let counters = counters()
        return group.lines.allSatisfy { counters[$0.sku]!.taken + Int64($0.quantity) <= Self.units }
    }

    private mutating func end(_ order: WideOrder, _ state: State) {
        for group in order.orders {
            switch rows[order.flow]!.groups[group.bucket] {
            case nil: forbid(group)
            case .ended: break
            case .taken, .beyond:
                rows[order.flow]!.groups[group.bucket] = .ended
                giveBacks[key(group)] = true
            }
        }
        rows[order.flow]!.state = state
    }

    private mutating func cancel(_ order: WideOrder) -> String {
        guard let row = rows[order.flow] else {
            rows[order.flow] = Row(order: order, state: .cancelled)
            for group in order.orders { forbid(group) }
            return "cancelled"
        }
        guard row.order == order else { return "conflict" }
        switch row.state {
        case .sold: return "sold"
        case .cancelled, .void: return "alreadyCancelled"
        case .partial, .reserved, .overCapacity:
            end(order, .cancelled)
            return "cancelled"
        }
    }

    private mutating func undo(_ order: WideOrder) -> String {
        var result = "undone"
        if let row = rows[order.flow], row.order != order {
            result = "conflict"
        } else if let row = rows[order.flow],
            [.reserved, .sold].contains(row.state)
                || (row.state == .overCapacity && order.orders.allSatisfy { row.groups[$0.bucket] != nil })
        {
            result = "stands"
        } else {
            _ = cancel(order)
        }
        seen.insert(result)
        return result
    }

    private mutating func pay(_ order: WideOrder, _ succeeded: Bool) {
        guard let row = rows[order.flow] else {
            if succeeded { paid.insert(order) } else if !paid.contains(order) { _ = cancel(order) }
            return
        }
        guard row.order == order else { return }
        switch (row.state, succeeded) {
        case (.reserved, true):
            rows[order.flow]!.state = .sold
            seen.insert("sold")
        case (.reserved, false), (.overCapacity, false): end(order, .cancelled)
        case (.partial, true), (.overCapacity, true): paid.insert(order)
        case (.partial, false): if !paid.contains(order) { end(order, .cancelled) }
        default: break
        }
    }

    // MARK: Comparing

    struct Counters: Equatable {
        var reserved: Int64 = 0
        var sold: Int64 = 0
        var beyond: Int64 = 0
        var taken: Int64 { reserved + sold }
    }

    /// Sums over groups: what Redis took counts, whatever became of the order's others.
    private func counters() -> [SKUNumber: Counters] {
        var sums = Dictionary(uniqueKeysWithValues: catalogue.entries.map { ($0.number, Counters()) })
        for row in rows.values {
            for group in row.order.groups {
                for line in group.lines {
                    switch row.groups[group.bucket] {
                    case .taken where row.state == .sold: sums[line.sku]!.sold += Int64(line.quantity)
                    case .taken: sums[line.sku]!.reserved += Int64(line.quantity)
                    case .beyond: sums[line.sku]!.beyond += Int64(line.quantity)
                    case .ended, nil: break
                    }
                }
            }
        }
        return sums
    }

    mutating func compare(deeply: Bool) async throws {
        let sums = counters()
        for found in try await store.skuCounters() {
            let mine = Counters(reserved: found.reserved, sold: found.sold, beyond: found.overCapacity)
            expect(mine, sums[found.sku]!, "counters of \(found.sku)")
        }
        let totals = try await store.orderTotals()
        func count(_ state: State) -> Int64 { Int64(rows.values.count { $0.state == state }) }
        expect(
            [totals.partial, totals.reserved, totals.sold, totals.cancelled, totals.void, totals.overCapacity],
            [State.partial, .reserved, .sold, .cancelled, .void, .overCapacity].map(count), "totals")
        let pending = Set(try await store.pendingGiveBacks(limit: 100_000).map { key($0.order) })
        expect(pending, Set(giveBacks.filter(\.value).keys), "pending give-backs")
        let halfDone = try await store.halfDone(limit: 100_000)
        expect(
            Set(halfDone.map(\.order.flow)), Set(rows.values.filter { $0.state == .partial }.map(\.order.flow)),
            "half done")
        for found in halfDone { expect(found.arrived, Set(rows[found.order.flow]!.groups.keys), "arrived") }
        guard deeply else { return }
        for entry in catalogue.entries {
            for row in try await store.ledgerPage(sku: entry.number, after: nil, limit: 100_000) {
                let group = rows[row.flow]?.groups[entry.bucket]
                expect(row.cancelled, group == .ended, "ledger of \(entry.sku): \(row.flow)")
                expect(row.quantity == 0, group == .beyond, "ledger of \(entry.sku): \(row.flow)")
                expect(row.digest, rows[row.flow]!.order.digest, "ledger of \(entry.sku): \(row.flow)")
            }
        }
    }
}
