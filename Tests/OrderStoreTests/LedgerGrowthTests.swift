import Inventory
import OrderStore
import Testing

/// What leaves Redis's ledgers, what must stay, and what this store answers for what has left.
@Suite("Ledger growth and limits per buyer", .timeLimit(.minutes(5)))
struct LedgerGrowthTests {
    /// Orders made at 1, 2, … ms; the bucket's newest flow keeps the watermark well below the machine's clock.
    private func raise(_ fixture: Fixture, horizon: Int64, ordersMax: Int = 1_000) async throws -> UInt64? {
        try await fixture.store.raiseWatermark(
            bucket: fixture.bucket, horizon: .milliseconds(horizon), ordersMax: ordersMax)?.milliseconds
    }

    private func archivable(_ fixture: Fixture) async throws -> [UInt64] {
        try await fixture.store.archivable(bucket: fixture.bucket, after: nil, limit: 1_000).map(\.flow.milliseconds)
    }

    @Test("the watermark follows the newest flow, never a clock alone, and never falls", arguments: StoreKind.all)
    func watermark(_ kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, units: 100)
        let epoch = try await fixture.open(fixture.bucket)
        #expect(try await raise(fixture, horizon: 0) == nil)
        try await fixture.settle(epoch, 1, .deduct((1...20).map { try fixture.order($0 * 10) }))
        // A clock that is decades ahead of the orders declares none of them old.
        #expect(try await raise(fixture, horizon: 150) == 50)
        #expect(try await raise(fixture, horizon: 180) == 50)
        #expect(try await fixture.store.buckets()[0].watermark == .earliest(atMilliseconds: 50))
        // Bounded steps, of whole milliseconds.
        #expect(try await raise(fixture, horizon: 0, ordersMax: 4) == 90)
        #expect(try await raise(fixture, horizon: 0, ordersMax: 4) == 130)
        #expect(try await raise(fixture, horizon: 0, ordersMax: 100) == 200)
        #expect(try await fixture.store.buckets()[1].watermark == nil)
    }

    @Test("archivable is what was sold or given back, never what is open", arguments: StoreKind.all)
    func archivableOrders(_ kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, units: 100)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = try (1...6).map { try fixture.order($0 * 10, [(1, 1), (2, 2)]) }
        try await fixture.settle(epoch, 1, .deduct(orders))
        #expect(try await fixture.pay(orders[0]) == .confirmed)
        #expect(try await fixture.pay(orders[1], succeeded: false) == .cancelled)
        #expect(try await archivable(fixture) == [])
        #expect(try await raise(fixture, horizon: 15) == 45)
        // 10 is sold; 20 waits for its give-back; 30 and 40 are open.
        #expect(try await archivable(fixture) == [10])
        try await fixture.settle(epoch, 2, .release(givenBack: [orders[1]], tombstones: []))
        #expect(try await archivable(fixture) == [10, 20])
        let first = try await fixture.store.archivable(bucket: fixture.bucket, after: nil, limit: 1)
        #expect(first == [ArchivableOrder(flow: orders[0].flow, skus: orders[0].lines.map(\.sku))])
        #expect(
            try await fixture.store.archivable(bucket: fixture.bucket, after: orders[0].flow, limit: 9).map(\.flow)
                == [orders[1].flow])
        try await fixture.store.noteArchived(bucket: fixture.bucket, [orders[0].flow])
        #expect(try await archivable(fixture) == [20])
        #expect(try await fixture.pay(orders[2]) == .confirmed)
        #expect(try await archivable(fixture) == [20, 30])
    }

    @Test("pages of a ledger and the fold of a recovery leave out what was archived", arguments: StoreKind.all)
    func pagesAndFold(_ kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, units: 100)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = try (1...6).map { try fixture.order($0 * 10) }
        try await fixture.settle(epoch, 1, .deduct(orders))
        for order in orders[0...1] { #expect(try await fixture.pay(order) == .confirmed) }
        #expect(try await raise(fixture, horizon: 15) == 45)
        try await fixture.store.noteArchived(bucket: fixture.bucket, [orders[0].flow])
        var page: [String] = []
        var after: FlowID?
        while let row = try await fixture.store.ledgerPage(sku: SKUNumber(rawValue: 1), after: after, limit: 1).first {
            page.append("\(row.flow.milliseconds)\(row.mayBeArchived ? " old" : "")")
            after = row.flow
        }
        #expect(page == ["20 old", "30", "40", "50", "60"])

        let claim = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "test")
        // An entry that SQL hears of late, below the watermark: it is kept and archived like any other.
        let late = try fixture.order(15)
        try await fixture.settle(epoch, 2, .deduct([late]), claim: claim)
        let fold = try await fixture.store.fold(bucket: fixture.bucket, claim: claim)
        #expect(fold.ledger.map(\.flow.milliseconds) == [15, 30, 40, 50, 60])
        #expect(fold.watermark?.milliseconds == 45)
        #expect(fold.skus[0].taken == 7)
        _ = try await fixture.store.markOpened(bucket: fixture.bucket, claim: claim)
        #expect(try await archivable(fixture) == [])
        #expect(try await fixture.pay(late) == .confirmed)
        #expect(try await archivable(fixture) == [15])
    }

    @Test("every answer is there for an order that no ledger holds any more", arguments: StoreKind.all)
    func settlements(_ kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, units: 5)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = try (1...4).map { try fixture.order($0) }
        let big = try fixture.order(5, quantity: 3)
        try await fixture.settle(epoch, 1, .deduct(orders + [big]))
        #expect(try await fixture.pay(orders[0]) == .confirmed)
        #expect(try await fixture.store.cancel([orders[1]]) == [.cancelled])
        let asked = orders + [big, try fixture.order(6), try fixture.order(1, quantity: 2)]
        #expect(
            try await fixture.store.settlements(of: asked)
                == [.committed, .cancelled, .committed, .committed, .overCapacity, nil, .conflict])
    }

    // MARK: Limits

    private func limited(_ kind: StoreKind, _ limit: Int64) async throws -> Fixture {
        try await Fixture(kind, limitPerBuyer: limit)
    }

    private static let buyer = BuyerID(high: 1, low: 2)!
    private static let other = BuyerID(high: 1, low: 3)!

    private func order(_ fixture: Fixture, _ number: Int, _ buyer: BuyerID?, _ quantity: Int32 = 1) throws -> Order {
        try Order(
            flow: Fixture.flow(number), lines: [OrderLine(sku: SKUNumber(rawValue: 1), quantity: quantity)],
            catalogue: fixture.catalogue, buyer: buyer)
    }

    @Test(
        "a commit keeps the limit, whatever Redis let through; payments and cancellations move it",
        arguments: StoreKind.all)
    func limit(_ kind: StoreKind) async throws {
        let fixture = try await limited(kind, 3)
        #expect(fixture.catalogue.entries[0].limitPerBuyer == 3 && fixture.catalogue.entries[1].limitPerBuyer == nil)
        let epoch = try await fixture.open(fixture.bucket)
        let first = try order(fixture, 1, Self.buyer, 2)
        let second = try order(fixture, 2, Self.buyer, 2)
        let nobody = try order(fixture, 3, nil)
        let friend = try order(fixture, 4, Self.other, 3)
        #expect(
            try await fixture.settle(epoch, 1, .deduct([first, second, nobody, friend]))
                == "settled 2:overCapacity 3:overCapacity")
        #expect(try await fixture.counters().reserved == 5)
        #expect(try await fixture.pendingFlows() == [second.flow, nobody.flow])
        #expect(try await fixture.store.pendingGiveBacks(limit: 9).map(\.order) == [second, nobody])
        #expect(try await fixture.pay(first) == .confirmed)
        #expect(try await held(fixture) == [2, 3])
        #expect(try await fixture.store.cancel([friend]) == [.cancelled])
        #expect(try await held(fixture) == [2])
        #expect(try await fixture.settle(epoch, 2, .deduct([try order(fixture, 5, Self.buyer)])) == "settled")
        #expect(try await held(fixture) == [3])
        // The same flow by somebody else is another order.
        #expect(
            try await fixture.store.settlements(of: [try order(fixture, 1, Self.other, 2), first]) == [
                .conflict, .committed,
            ])
    }

    private func held(_ fixture: Fixture) async throws -> [Int64] {
        try await fixture.store.heldUnits(sku: SKUNumber(rawValue: 1), after: nil, limit: 9).map(\.units)
    }

    @Test("the fold of a recovery names the limit, what buyers hold, and digests with buyers", arguments: StoreKind.all)
    func fold(_ kind: StoreKind) async throws {
        let fixture = try await limited(kind, 3)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = [try order(fixture, 1, Self.buyer, 2), try order(fixture, 2, Self.other)]
        try await fixture.settle(epoch, 1, .deduct(orders))
        let claim = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "test")
        let fold = try await fixture.store.fold(bucket: fixture.bucket, claim: claim)
        #expect(fold.skus.map(\.limitPerBuyer) == [3, nil])
        #expect(fold.ledger.map(\.digest) == orders.map(\.digest))
        #expect(
            fold.held == [
                HeldUnits(sku: SKUNumber(rawValue: 1), buyer: Self.buyer, units: 2),
                HeldUnits(sku: SKUNumber(rawValue: 1), buyer: Self.other, units: 1),
            ])
    }

    // MARK: Whether the books add up

    @Test("a flow that an entry takes a second time is told, and its units are nobody's", arguments: StoreKind.all)
    func takenTwice(_ kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        let order = try fixture.order(1, quantity: 2)
        #expect(try await fixture.settle(epoch, 1, .deduct([order])) == "settled")
        #expect(try await fixture.store.balance(bucket: fixture.bucket)?.skus.map(\.excess) == [0, 0])
        #expect(try await fixture.settle(epoch, 2, .deduct([order])) == "settled 1:committed")
        let balance = try await fixture.store.balance(bucket: fixture.bucket)
        #expect(balance?.skus.map(\.excess) == [2, 0])
        #expect(balance?.skus.map(\.deficit) == [0, 0])
        #expect(try await fixture.counters().reserved == 2)
        // A rebuild takes what the orders say.
        _ = try await fixture.open(fixture.bucket)
        #expect(try await fixture.store.balance(bucket: fixture.bucket)?.skus.map(\.excess) == [0, 0])
    }

    @Test(
        "what waits to be given back is accounted for, and so is a yes that came by a duplicate",
        arguments: StoreKind.all)
    func balanced(_ kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        let order = try fixture.order(1, quantity: 2)
        let id = OutboxID(epoch: epoch, n: 1)
        _ = try await fixture.store.commit(CommitBatch(duplicates: [DuplicateSettlement(order: order, id: id)]))
        #expect(try await fixture.store.balance(bucket: fixture.bucket)?.skus[0].deficit == 2)
        #expect(try await fixture.settle(epoch, 1, .deduct([order])) == "settled")
        func sums() async throws -> [Int64] {
            let sku = try await fixture.store.balance(bucket: fixture.bucket)!.skus[0]
            return [sku.taken, sku.held, sku.mayBeTaken, sku.excess, sku.deficit]
        }
        #expect(try await sums() == [2, 2, 0, 0, 0])
        #expect(try await fixture.store.cancel([order]) == [.cancelled])
        #expect(try await sums() == [2, 0, 2, 0, 0])
        try await fixture.settle(epoch, 2, .release(givenBack: [order], tombstones: []))
        #expect(try await sums() == [0, 0, 0, 0, 0])
    }
}
