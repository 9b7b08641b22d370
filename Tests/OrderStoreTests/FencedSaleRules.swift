import Inventory
import OrderStore
import Testing

/// Selling from SQL alone while a bucket is fenced.
@Suite struct FencedSaleRules {
    static let choice = WhileFenced.sellInSQL(ordersPerSecond: 100)
    static let yes = FencedSaleResult.reserved(duplicate: false)

    private func sale(_ kind: StoreKind, _ choice: WhileFenced = choice, durability: Durability = .durable)
        async throws -> Fixture
    {
        let fixture = try await Fixture(kind, durability: durability, units: 3, whileFenced: choice)
        _ = try await fixture.store.setSaleState(from: [.warmed], to: .open)
        return fixture
    }

    private func sell(_ fixture: Fixture, _ orders: [Order], closing: Epoch = .none) async throws
        -> [FencedSaleResult]
    {
        try await fixture.store.sellFenced(orders, closing: [fixture.bucket: closing], by: "test")
    }

    @Test(arguments: StoreKind.all)
    func sellsWithinCapacityBetweenClaimAndFold(kind: StoreKind) async throws {
        let fixture = try await sale(kind)
        let store = fixture.store
        let open = try await fixture.open(fixture.bucket)
        let orders = try (1...5).map { try fixture.order($0) }
        #expect(
            try await sell(fixture, [orders[0]]) == [.refused(.fenced)], "an open bucket belongs to Redis")
        let claim = try await store.claimEpoch(bucket: fixture.bucket, above: open, by: "test")
        #expect(
            try await sell(fixture, Array(orders[..<4])) == [Self.yes, Self.yes, Self.yes, .refused(.soldOut)])
        #expect(try await sell(fixture, [orders[0]]) == [.reserved(duplicate: true)])
        let other = try fixture.order(1, quantity: 2)
        #expect(try await sell(fixture, [other]) == [.refused(.conflict)])
        _ = try await store.cancel([orders[1]])
        #expect(try await sell(fixture, [orders[1], orders[4]]) == [.refused(.cancelled), Self.yes])
        let fold = try await store.fold(bucket: fixture.bucket, claim: claim)
        #expect(fold.skus[0].taken == 3 && fold.ledger.count == 4)
        #expect(try await store.pendingGiveBacks(limit: 9).isEmpty, "the fold contains the cancellation")
        #expect(
            try await sell(fixture, [fixture.order(6, sku: 2)]) == [.refused(.fenced)],
            "what is sold after the fold would be missing in Redis")
        await store.close()
    }

    @Test(arguments: StoreKind.all)
    func closesTheBucketItIsToldToAndNoOther(kind: StoreKind) async throws {
        let fixture = try await sale(kind)
        let store = fixture.store
        let old = try await fixture.open(fixture.bucket)
        let order = try fixture.order(1)
        let taken = EntrySettlement(
            bucket: fixture.bucket, id: OutboxID(epoch: old, n: 1), action: .deduct([try fixture.order(2)]))
        #expect(try await sell(fixture, [order], closing: old) == [Self.yes])
        guard case .stale = try await store.commit(CommitBatch(entries: [taken])).entries[0] else {
            Issue.record("an entry of the closed epoch was settled")
            return
        }
        let now = try await fixture.open(fixture.bucket)
        #expect(now > old)
        #expect(try await sell(fixture, [fixture.order(3)], closing: old) == [.refused(.fenced)])
        #expect(try await store.buckets()[0].state == .open)
        await store.close()
    }

    @Test(arguments: StoreKind.all)
    func asksForTheChoiceTheDurabilityAndAnOpenSale(kind: StoreKind) async throws {
        for (choice, durability) in [(WhileFenced.tryAgain, Durability.durable), (Self.choice, .memory)] {
            let fixture = try await sale(kind, choice, durability: durability)
            _ = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "test")
            #expect(try await sell(fixture, [fixture.order(1)]) == [.refused(.fenced)])
            await fixture.store.close()
        }
        let fixture = try await sale(kind)
        _ = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "test")
        _ = try await fixture.store.setFrozen(SKUNumber(rawValue: 1), true)
        #expect(try await sell(fixture, [fixture.order(1)]) == [.refused(.frozen)])
        _ = try await fixture.store.setSaleState(from: [.open], to: .halted)
        #expect(try await sell(fixture, [fixture.order(2, sku: 2)]) == [.refused(.halted)])
        await fixture.store.close()
    }
}
