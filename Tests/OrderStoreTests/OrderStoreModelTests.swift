import Inventory
import OrderStore
import Testing

/// Random steps on the store and on the model, compared all along.
@Suite struct OrderStoreModelTests {
    @Test(
        arguments: StoreKind.all,
        [
            (1, .durable, .refund), (2, .memory, .reserveAgain), (3, .durable, .reserveAgain), (4, .memory, .refund),
        ] as [(UInt64, Durability, LatePaymentPolicy)])
    func theStoreDoesWhatTheModelSays(
        kind: StoreKind, setting: (seed: UInt64, durability: Durability, latePayments: LatePaymentPolicy)
    ) async throws {
        var walk = try await Walk(
            kind, seed: setting.seed, durability: setting.durability, latePayments: setting.latePayments)
        for step in 1...5_000 {
            try await walk.step()
            if step == 4_000 { try await walk.close() }
            if step % 50 == 0 { try await walk.compare(deeply: step % 1_000 == 0) }
            // One disagreement is enough to read.
            if walk.hasFailed { break }
        }
        // A walk that never met a case proves nothing about it.
        var words = [
            "conflict", "cancelled", "overCapacity", "already", "stale", "confirmed", "recovered", "expired", "waiting",
            "refunded", "lost", "takenBack", "reversalRefused", "reversalUnthinkable",
            "notClosed", "endedByClosing",
        ]
        if setting.latePayments == .reserveAgain { words += ["reservingAgain", "reservedAgain"] }
        if setting.durability == .memory { words += ["takenIn", "rolledBack"] }
        for word in words { #expect(walk.seen.contains(word), "no step met '\(word)'") }
        await walk.store.close()
    }
}

private struct Walk {
    let folder: TemporaryFolder
    let store: any OrderStore
    let catalogue: Catalogue
    var model: OrderStoreModel
    var numbers: SeededNumbers
    var flows = 0
    var known: [Order] = []
    /// The next n of each bucket's present epoch, entries that were made and not settled, and settled ones.
    var nextN: [BucketNumber: Int64] = [:]
    var held: [EntrySettlement] = []
    var past: [EntrySettlement] = []
    var seen: Set<String> = []
    var hasFailed = false
    let time = HandSetTime()

    init(_ kind: StoreKind, seed: UInt64, durability: Durability, latePayments: LatePaymentPolicy) async throws {
        folder = try TemporaryFolder()
        store = try kind.openAt(folder, SaleClock(time))
        _ = try await store.createSale(
            SaleDraft(
                name: "walk", durability: durability,
                skus: (0..<9).map { .init(sku: "s\($0)", name: "", tag: "t\($0 / 3)", allocated: 150) },
                reservationTimeoutMilliseconds: 300, latePayments: latePayments))
        catalogue = try await store.catalogue()
        model = OrderStoreModel(
            durability: durability, catalogue: catalogue, units: 150, timeout: 300, latePayments: latePayments)
        model.now = time.milliseconds
        numbers = SeededNumbers(state: seed)
        for bucket in catalogue.buckets { try await recover(bucket.number) }
    }

    private mutating func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &numbers) }

    private mutating func expect<T: Equatable>(_ found: T, _ wanted: T, _ what: String) {
        if found != wanted { hasFailed = true }
        #expect(found == wanted, "\(what)")
    }

    // MARK: Making things up

    private mutating func newOrder(_ bucket: BucketNumber, flow: FlowID? = nil) throws -> Order {
        var lines: [OrderLine] = []
        for sku in catalogue[bucket]!.skus where pick(3) == 0 {
            lines.append(OrderLine(sku: sku, quantity: Int32(1 + pick(3))))
        }
        if lines.isEmpty { lines = [OrderLine(sku: catalogue[bucket]!.skus[pick(3)], quantity: 1)] }
        flows += 1
        let order = try Order(flow: flow ?? Fixture.flow(flows), lines: lines, catalogue: catalogue)
        known.append(order)
        return order
    }

    /// Mostly new; else one from before, or another order under its flow.
    private mutating func order(_ bucket: BucketNumber) throws -> Order {
        let dice = pick(10)
        if dice < 2, let old = known.suffix(60).randomElement(using: &numbers) {
            if dice == 0 { return try newOrder(bucket, flow: old.flow) }
            if old.bucket == bucket { return old }
        }
        return try newOrder(bucket)
    }

    private mutating func entry(_ bucket: BucketNumber, _ action: EntrySettlement.Action) -> EntrySettlement {
        let n = nextN[bucket]!
        nextN[bucket] = n + 1
        return EntrySettlement(bucket: bucket, id: OutboxID(epoch: model.buckets[bucket]!.epoch, n: n), action: action)
    }

    private mutating func deduct(_ bucket: BucketNumber) throws -> EntrySettlement {
        let orders = try (0...pick(4)).map { _ in try order(bucket) }
        return entry(bucket, .deduct(orders))
    }

    // MARK: Steps

    mutating func step() async throws {
        let bucket = catalogue.buckets[pick(3)].number
        var batch = CommitBatch()
        time.milliseconds += Int64(pick(3))
        model.now = time.milliseconds
        switch pick(36) {
        case 0..<9:
            for _ in 0...pick(2) { batch.entries.append(try deduct(bucket)) }
        case 9, 10:
            held.append(try deduct(bucket))
            return
        case 11, 12:
            guard !held.isEmpty else { return }
            batch.entries = [held.remove(at: pick(held.count))]
        case 13:
            if let again = past.suffix(50).randomElement(using: &numbers) { batch.entries = [again, again] }
        case 14:
            let epoch = Epoch(rawValue: model.buckets[bucket]!.epoch.rawValue + [-1, 1][pick(2)])
            batch.entries = [
                .init(bucket: bucket, id: .init(epoch: epoch, n: 1), action: .deduct([try newOrder(bucket)]))
            ]
            if pick(2) == 0 { batch.claim = epoch }
        case 15...18:
            let mine = model.pending.filter { $0.order.bucket == bucket }.map(\.order).prefix(5)
            let split = pick(mine.count + 1)
            batch.entries = [
                entry(bucket, .release(givenBack: Array(mine.prefix(split)), tombstones: Array(mine.dropFirst(split))))
            ]
        case 30:
            try await expire()
            return
        case 35:
            try await endReservations()
            return
        case 31:
            try await settleWaiting(isOverdue: pick(2) != 0)
            return
        case 32:
            try await reserveAgain()
            return
        case 33:
            // Paid before SQL hears of it; the order comes in a later step, or never.
            let order = try newOrder(bucket)
            if pick(2) == 0 { held.append(entry(bucket, .deduct([order]))) }
            batch.payments = [Payment(order: order, succeeded: pick(4) > 0)]
        case 34:
            try await settleOversold(bucket, claim: nil)
            return
        case 19...22:
            for order in known.suffix(40).shuffled(using: &numbers).prefix(5) {
                batch.payments.append(Payment(order: order, succeeded: pick(3) > 0))
            }
        case 23:
            var orders = Array(known.suffix(40).shuffled(using: &numbers).prefix(2))
            orders.append(try newOrder(bucket))
            let results = try await store.cancel(orders)
            expect(results, orders.map { model.cancel($0) }, "cancel")
            return
        case 24:
            let sku = catalogue.entries[pick(9)].number
            let units = Int64(1 + pick(30)) * (pick(2) == 0 ? 1 : -1)
            guard model.restock(sku, units) else {
                seen.insert("reversalUnthinkable")
                await #expect(throws: OrderStoreError.self) { try await store.restock(sku, units: units) }
                return
            }
            expect(try await store.restock(sku, units: units), model.restocks.last!.restock, "restock")
            return
        case 25:
            for waiting in model.restocks where waiting.done == nil && catalogue[waiting.restock.sku]!.bucket == bucket
            {
                let version = waiting.restock.fromVersion
                // Redis may have fewer left than SQL.
                let units = waiting.restock.units < 0 && pick(3) == 0 ? 0 : waiting.restock.units
                batch.entries.append(
                    entry(bucket, .restock(sku: waiting.restock.sku, version: version, units: units)))
            }
        case 26, 27:
            let order = try order(bucket)
            let ends: [Int64] = [nextN[bucket]!, max(1, nextN[bucket]! - 1)]
            let id = OutboxID(epoch: model.buckets[bucket]!.epoch, n: ends[pick(2)])
            batch.duplicates = [.init(order: order, id: id)]
        case 28:
            let sku = catalogue[bucket]!.skus[pick(3)]
            let actions: [EntrySettlement.Action] = [
                .mark, .repair(sku: sku, delta: Int64(pick(9)) - 4), .unreadable(blob: [1, 2]),
                .restock(sku: sku, version: 1_000_000, units: 1),
            ]
            batch.entries = [entry(bucket, actions[pick(4)])]
        default:
            if pick(6) == 0 { try await recover(bucket) }
            return
        }
        try await commit(batch)
    }

    private mutating func commit(_ batch: CommitBatch) async throws {
        let found = try await store.commit(batch)
        let wanted = model.commit(batch)
        expect(found.entries.map(\.words), wanted.entries, "entries of \(batch)")
        expect(found.duplicates.map(\.words), wanted.duplicates, "duplicates of \(batch)")
        expect(found.payments, wanted.payments, "payments of \(batch)")
        past += batch.entries
        for words in wanted.entries + wanted.duplicates + wanted.payments.map({ "\($0)" }) {
            for word in words.split(whereSeparator: { !$0.isLetter }) { seen.insert(String(word)) }
        }
    }

    /// Claims, drains a part of what is held under the claim, folds, opens. Sometimes a first recoverer gave up before.
    private mutating func recover(_ bucket: BucketNumber) async throws {
        let epoch = model.buckets[bucket]!.epoch
        if pick(3) == 0 {
            _ = try await store.claimEpoch(bucket: bucket, above: epoch, by: "gone")
            _ = model.claim(bucket)
        }
        let claim = try await store.claimEpoch(bucket: bucket, above: epoch, by: "walk")
        expect(claim, model.claim(bucket), "claim")
        let mine = held.filter { $0.bucket == bucket }
        held.removeAll { $0.bucket == bucket }
        try await commit(CommitBatch(entries: Array(mine.prefix(pick(mine.count + 1))), claim: claim))
        if pick(2) == 0 { try await settleOversold(bucket, claim: claim) }
        let fold = try await store.fold(bucket: bucket, claim: claim)
        model.fold(bucket)
        let skus = catalogue[bucket]!.skus
        expect(fold.skus.map(\.taken), skus.map { model.taken[$0] ?? 0 }, "fold: taken")
        expect(fold.skus.map(\.allocated), skus.map { model.allocated[$0]! }, "fold: allocated")
        expect(fold.skus.map(\.version), skus.map { model.versions[$0] ?? 0 }, "fold: version")
        expect(fold.ledger, skus.flatMap { model.ledger($0) }, "fold: ledger")
        // Too late for the fold: stale.
        try await commit(CommitBatch(entries: Array(mine.suffix(1)), claim: claim))
        _ = try await store.markOpened(bucket: bucket, claim: claim)
        model.open(bucket)
        nextN[bucket] = 1
        seen.insert("recovered")
    }

    // MARK: How orders end

    private mutating func expire() async throws {
        var found: [ExpirySweep.Expired] = []
        var isDone = false
        while !isDone {
            let sweep = try await store.expire(now: model.now, limit: 1 + pick(600))
            found += sweep.expired
            isDone = sweep.isDone
        }
        let wanted = model.expire()
        expect(found.sorted { $0.order.flow < $1.order.flow }, wanted, "expired")
        if !wanted.isEmpty { seen.insert("expired") }
    }

    /// For good; what is on its way still comes, payments are still taken.
    mutating func close() async throws {
        expect(try await store.setSaleState(from: [.warmed, .closed], to: .closed).state, .closed, "close")
        model.isClosed = true
        // No act opens it again.
        expect(try await store.setSaleState(from: [.warmed, .halted], to: .open).state, .closed, "open")
    }

    /// A few of the reservations, in steps, or none while the sale is not closed.
    private mutating func endReservations() async throws {
        guard model.isClosed else {
            let error = await #expect(throws: OrderStoreError.self) {
                try await store.endReservations(after: nil, limit: 9)
            }
            expect(error?.outcome, .refused, "reservations of a sale that is not closed")
            seen.insert("notClosed")
            return
        }
        let skipped = pick(3) == 0 ? known.suffix(30).first?.flow : nil
        var position = skipped
        for _ in 0...pick(3) {
            let limit = 1 + pick(6)
            let wanted = model.endReservations(after: position, limit: limit)
            let found = try await store.endReservations(after: position, limit: limit)
            expect(found, wanted, "ended reservations")
            if found.ended > 0 { seen.insert("endedByClosing") }
            position = found.next
            if position == nil { return }
        }
    }

    private mutating func settleWaiting(isOverdue: Bool) async throws {
        let overdue = isOverdue ? model.waitingPayments(arrivedBefore: model.now - 100) : []
        var found: [WaitingPaymentSweep.Ended] = []
        var position: PaymentPosition?
        repeat {
            let sweep = try await store.settleWaitingPayments(
                overdue: overdue, after: position, limit: 1 + pick(9))
            found += sweep.ended
            position = sweep.next
        } while position != nil
        let wanted = model.settleWaiting(overdue)
        expect(found, wanted, "waiting payments")
        for ended in wanted { note("\(ended.result)") }
    }

    private mutating func reserveAgain() async throws {
        let due = try await store.paymentsToReserveAgain(limit: 4)
        for late in due {
            flows += 1
            let flow = Fixture.flow(flows)
            let linked = try await store.linkReservation(of: late.order, again: flow)
            expect(linked, model.link(late.order, flow), "link")
            // It is bought, paid, cancelled like any other.
            if let linked {
                known.append(try Order(flow: linked, lines: Array(late.order.lines), catalogue: catalogue))
                if pick(2) == 0, let again = known.last {
                    held.append(entry(again.bucket, .deduct([again])))
                }
            }
            if pick(3) == 0 { continue }
            let reserved = pick(3) > 0
            try await store.endReservingAgain(late.order, reserved: reserved)
            model.endReservingAgain(late.order, reserved: reserved)
            // Told again: what became of it.
            try await commit(CommitBatch(payments: [Payment(order: late.order, succeeded: true)]))
        }
    }

    private mutating func settleOversold(_ bucket: BucketNumber, claim: Epoch?) async throws {
        let books = try await store.oversold(policy: OversoldPolicy.allCases[pick(3)])
        expect(
            books.orders.filter(\.isOverCapacity).map(\.order.flow),
            model.rows.values.filter { $0.state == .overCapacity }.map(\.order.flow).sorted(), "oversold")
        let mine = books.orders.filter { $0.order.bucket == bucket }
        let losers = mine.filter { $0.isOverCapacity ? pick(3) == 0 : pick(6) == 0 }.map(\.order)
        let takenIn = mine.filter { order in
            order.isOverCapacity && pick(4) == 0 && !losers.contains { $0.flow == order.order.flow }
        }.map(\.order)
        let choice = OversoldChoice(bucket: bucket, losers: losers, takenIn: takenIn)
        let isDone: Bool
        do {
            try await store.settleOversold(choice, claim: claim)
            isDone = true
        } catch {
            isDone = false
        }
        expect(isDone, model.settleOversold(choice, claim: claim), "oversold: settled")
        if isDone && !losers.isEmpty { seen.insert("rolledBack") }
        if isDone && !takenIn.isEmpty { seen.insert("takenIn") }
    }

    private mutating func note(_ words: String) {
        for word in words.split(whereSeparator: { !$0.isLetter }) { seen.insert(String(word)) }
    }

    // MARK: Comparing

    /// Many cuts in one snapshot: what each says alone, in whatever order they are asked for.
    private mutating func compareBooks() async throws {
        // The walk stays what it is.
        let next = numbers
        defer { numbers = next }
        var cuts = model.records.map { bucket in
            CutPosition(
                bucket: bucket.bucket,
                id: OutboxID(epoch: bucket.epoch, n: Int64(pick(Int(bucket.drainedThrough.n) + 2))))
        }
        cuts.shuffle(using: &numbers)
        let books = try await store.books(for: cuts)
        expect(books.count, cuts.count, "books of every cut")
        for (cut, books) in zip(cuts, books) {
            let record = model.records.first { $0.bucket == cut.bucket }!
            let isThere = record.drainedThrough >= cut.id && record.epoch == cut.id.epoch
            expect(books != nil, isThere, "books of \(cut)")
            guard let books else { continue }
            expect(books.record, record, "record of \(cut)")
            expect(books.skus.map(\.sku), catalogue[cut.bucket]!.skus, "SKUs of \(cut)")
            expect(
                Dictionary(uniqueKeysWithValues: books.skus.map { ($0.sku, $0.fold) }),
                model.cut(cut.bucket, through: cut.id), "books of \(cut)")
            let all = model.cut(cut.bucket, through: OutboxID(epoch: cut.id.epoch, n: .max))
            expect(books.skus.map(\.takenInAll), books.skus.map { all[$0.sku]!.taken }, "all that \(cut.bucket) took")
            guard record.state == .open else { continue }
            let balance = try await store.balance(bucket: cut.bucket)
            expect(books.skus.map(\.balance), balance?.skus ?? [], "balance of \(cut.bucket)")
            expect(
                books.skus.map(\.isBalanced), books.skus.map { $0.balance.excess == 0 && $0.balance.deficit == 0 },
                "whether \(cut.bucket) is balanced")
        }
    }

    mutating func compare(deeply: Bool) async throws {
        expect(try await store.skuCounters(), model.counters, "counters")
        expect(try await store.orderTotals(), model.totals, "totals")
        expect(try await store.buckets(), model.records, "buckets")
        expect(try await store.paymentTotals(), model.paymentTotals, "payments")
        expect(try await store.pendingGiveBacks(limit: 100_000), model.pending, "pending give-backs")
        expect(
            Set(try await store.pendingRestocks()), Set(model.restocks.filter { $0.done == nil }.map(\.restock)),
            "pending restocks")
        for row in model.restocks.suffix(12) {
            let outcome: RestockOutcome = row.done == nil ? .pending : row.isRefused ? .refused : .applied
            expect(try await store.outcome(of: row.restock), outcome, "what became of \(row.restock)")
            if row.restock.units < 0, outcome == .applied { seen.insert("takenBack") }
            if outcome == .refused { seen.insert("reversalRefused") }
        }
        for bucket in model.records {
            let id = OutboxID(epoch: bucket.epoch, n: Int64(pick(Int(bucket.drainedThrough.n) + 1)))
            for through in [id, bucket.drainedThrough] {
                expect(
                    try await store.foldForCut(bucket: bucket.bucket, through: through),
                    model.cut(bucket.bucket, through: through), "cut of \(bucket.bucket) through \(through)")
            }
        }
        try await compareBooks()
        guard deeply else { return }
        let refunds = try await store.refunds(limit: 1_000_000)
        expect(
            Dictionary(
                uniqueKeysWithValues: refunds.map {
                    (
                        OrderStoreModel.GiveBackKey(flow: $0.flow, digest: $0.digest),
                        OrderStoreModel.RefundRow(units: $0.units, reason: $0.reason, isPaid: $0.isPaid)
                    )
                }), model.refunds, "refunds")
        for entry in catalogue.entries {
            expect(
                try await store.ledgerPage(sku: entry.number, after: nil, limit: 100_000), model.ledger(entry.number),
                "ledger of \(entry.sku)")
        }
        let absent = model.rows.values.filter { $0.state == .void || $0.state == .overCapacity }.map(\.order.flow)
        expect(
            Set(try await store.absent(Array(model.rows.keys) + [Fixture.flow(flows + 1)])),
            Set(absent + [Fixture.flow(flows + 1)]), "absent")
    }
}
