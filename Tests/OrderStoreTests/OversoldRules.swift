import GRDB
import Inventory
import Testing

@testable import OrderStore

/// What was promised beyond capacity, what nobody could read, and files from before.
@Suite struct OversoldRules {
    @Test(arguments: StoreKind.all)
    func whoLosesIsRolledBackWithARefundAndWhoIsTakenInCounts(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, durability: .memory, units: 3, timeout: 1_000)
        let epoch = try await fixture.open(fixture.bucket)
        // 4 and 5 came to SQL first; 1 and 2, older, found no room.
        try await fixture.settle(epoch, 1, .deduct([fixture.order(4, quantity: 2), fixture.order(5)]))
        let claim = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: epoch, by: "test")
        let (first, second) = (try fixture.order(1), try fixture.order(2))
        #expect(try await fixture.settle(epoch, 2, .deduct([first, second]), claim: claim).contains("overCapacity"))
        #expect(try await fixture.pay(first) == .waiting)
        let books = try await fixture.store.oversold(policy: .newestFirst)
        #expect(books.orders.map(\.order.flow) == [1, 2, 4, 5].map(Fixture.flow))
        #expect(books.orders.map(\.isOverCapacity) == [true, true, false, false])
        #expect(books.orders.map(\.isPaid) == [true, false, false, false])
        #expect(books.counters.map(\.overCapacity) == [2])
        // No room for the first before somebody loses; only while it is rebuilt.
        let bucket = fixture.bucket
        let tooMuch = OversoldChoice(bucket: bucket, losers: [second], takenIn: [first])
        await #expect(throws: OrderStoreError.self) { try await fixture.store.settleOversold(tooMuch, claim: claim) }
        #expect(try await fixture.store.oversold(policy: .newestFirst).orders.count == 4)
        let choice = OversoldChoice(bucket: bucket, losers: [second, try fixture.order(5)], takenIn: [first])
        await #expect(throws: OrderStoreError.self) { try await fixture.store.settleOversold(choice, claim: nil) }
        try await fixture.store.settleOversold(choice, claim: claim)
        let counters = try await fixture.counters()
        #expect(counters.sold == 1 && counters.reserved == 2 && counters.overCapacity == 0)
        let refunds = try await fixture.store.refunds(limit: 10)
        #expect(
            refunds.map(\.flow) == [5, 2].map(Fixture.flow)
                && refunds.allSatisfy { $0.reason == .oversold && !$0.isPaid })
        #expect(try await fixture.pendingFlows() == [2, 5].map(Fixture.flow))
        // Once: the books are not what they were.
        await #expect(throws: OrderStoreError.self) { try await fixture.store.settleOversold(choice, claim: claim) }
        let fold = try await fixture.store.fold(bucket: bucket, claim: claim)
        #expect(fold.skus[0].taken == 3)
        // A payment for who lost is paid back, under the record that is there, even if that was ticked off before it came.
        let number = try #require(refunds.last?.number)
        #expect(try await fixture.store.settleRefund(number))
        #expect(try await fixture.pay(second) == .refunded(.oversold))
        #expect(try await fixture.store.refunds(limit: 10).count == 2)
        #expect(try await fixture.store.refunds(limit: 10).last?.isPaid == true)
        #expect(try await fixture.store.refunds(limit: 10).last?.settledAtMilliseconds == nil)
        #expect(try await fixture.store.settleRefund(number))
        #expect(try await fixture.pay(second) == .refunded(.oversold))
        #expect(try await fixture.store.refunds(limit: 10).last?.settledAtMilliseconds != nil)
    }

    @Test(arguments: StoreKind.all)
    func aDeadLetterCountsAsTakenUntilAPersonSettlesIt(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        func forged(_ number: Int, _ quantity: Int32) -> Order {
            Order(
                trustedFlow: Fixture.flow(number), bucket: fixture.otherBucket,
                sortedLines: [.init(sku: .init(rawValue: 1), quantity: quantity)])
        }
        try await fixture.settle(epoch, 1, .deduct([fixture.order(9, quantity: 2), forged(1, 3), forged(2, 4)]))
        try await fixture.settle(epoch, 2, .unreadable(blob: [7]))
        #expect(try await fixture.taken(epoch, through: 2) == 9)
        let letters = try await fixture.store.deadLetters(limit: 10)
        #expect(
            letters.map(\.units) == [3, 4, 0] && letters.map(\.order?.flow) == [Fixture.flow(1), Fixture.flow(2), nil])
        #expect(letters[2].blob == [7])
        func refold(_ claim: inout Epoch) async throws -> Int64 {
            claim = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: claim, by: "test")
            let fold = try await fixture.store.fold(bucket: fixture.bucket, claim: claim)
            _ = try await fixture.store.markOpened(bucket: fixture.bucket, claim: claim)
            #expect(try await fixture.taken(claim, through: 0) == fold.skus[0].taken)
            #expect(fold.skus[0].allocated == 10 || fold.skus[0].allocated == 6)
            return fold.skus[0].taken
        }
        var claim = epoch
        #expect(try await refold(&claim) == 9)
        #expect(try await fixture.store.settleDeadLetter(letters[0].number, as: .givenBack, who: "x") == letters[0])
        #expect(try await refold(&claim) == 6)
        _ = try await fixture.store.settleDeadLetter(letters[1].number, as: .discarded, who: "x")
        #expect(try await fixture.counters().allocated == 6)
        #expect(try await refold(&claim) == 2)
        for number in [letters[0].number, 99] {
            await #expect(throws: OrderStoreError.self) {
                try await fixture.store.settleDeadLetter(number, as: .givenBack, who: "x")
            }
        }
        await #expect(throws: OrderStoreError.self) {
            try await fixture.store.settleDeadLetter(letters[2].number, as: .givenBack, who: "x")
        }
        #expect(try await fixture.store.orderTotals().deadLetters == 1)
        _ = try await fixture.store.settleDeadLetter(letters[2].number, as: .discarded, who: "x")
        #expect(try await fixture.store.deadLetters(limit: 10) == [])
    }

    /// What no rule foresees and the tables refuse: rows that somebody left behind.
    @Test func anOrderThatTheTablesRefuseIsADeadLetterAndTheOthersGoOn() async throws {
        let fixture = try await Fixture(StoreKind.all[0], timeout: 10)
        let epoch = try await fixture.open(fixture.bucket)
        let queue = try DatabaseQueue(path: fixture.folder.path("orders.db"))
        let (bytes, epochNumber) = (Fixture.flow(2).bytes, epoch.rawValue)
        try await queue.write { database in
            try database.execute(sql: "INSERT INTO items VALUES (1, x'\(hex(bytes))', 1, 1, 0, 1)")
            try database.execute(sql: "INSERT INTO ledger VALUES (1, \(epochNumber), 2, 1, 5)")
        }
        try queue.close()
        let orders = try (1...3).map { try fixture.order($0) }
        let entries = [
            EntrySettlement(bucket: fixture.bucket, id: .init(epoch: epoch, n: 1), action: .deduct(orders)),
            EntrySettlement(
                bucket: fixture.bucket, id: .init(epoch: epoch, n: 2), action: .deduct([try fixture.order(4)])),
            EntrySettlement(
                bucket: fixture.bucket, id: .init(epoch: epoch, n: 3), action: .deduct([try fixture.order(5)])),
        ]
        let paid = Payment(order: orders[0], succeeded: true)
        let result = try await fixture.store.commit(CommitBatch(entries: entries, payments: [paid]))
        #expect(result.entries.map(\.words) == ["settled 2:conflict", "settled 4:conflict", "settled"])
        #expect(result.payments == [.confirmed])
        #expect(try await fixture.drained() == "\(epoch.rawValue)-3")
        let counters = try await fixture.counters()
        #expect(counters.sold == 1 && counters.reserved == 2)
        let letters = try await fixture.store.deadLetters(limit: 10)
        #expect(letters.map(\.order?.flow) == [Fixture.flow(2), nil] && letters.map(\.id.n) == [1, 2])
        #expect(letters.allSatisfy { $0.reason.contains("SQL refuses") && !$0.reason.contains("\n") })
        // What was tried and undone left no deadline behind.
        #expect(
            try await fixture.store.expire(now: .max, limit: 1_000).expired.map(\.order.flow)
                == [3, 5].map(Fixture.flow))
        let again = try await fixture.store.commit(CommitBatch(entries: entries))
        #expect(
            again.entries.map(\.words) == [
                "already 2:conflict 3:cancelled", "already 4:conflict", "already 5:cancelled",
            ])
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// A file of the first version: its orders have no deadline, its dead letters wait, everything goes on.
    @Test func anOlderFileIsOpenedAndGoesOn() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("orders.db")
        let queue = try DatabaseQueue(path: path)
        try SQLiteSchema.migrator.migrate(queue, upTo: "1 first light")
        let flow = Fixture.flow(1)
        try await queue.write { database in
            try database.execute(
                sql: """
                    PRAGMA application_id = \(SQLiteSchema.applicationID);
                    INSERT INTO sales VALUES (1, 'old', 'durable', 'open', 5);
                    INSERT INTO buckets VALUES (1, 1, 't', 3, 'open', 3, 1);
                    INSERT INTO skus VALUES (1, 1, 1, 'a', 'A');
                    INSERT INTO counters VALUES (1, 1, 10, 0, 0, 2, 0, 0);
                    UPDATE epochCounter SET last = 3;
                    INSERT INTO orders VALUES (x'\(hex(flow.bytes))', 1, 3, 1, 2, 77, 5);
                    UPDATE orderCounts SET orders = 1 WHERE state = 2;
                    INSERT INTO items VALUES (1, x'\(hex(flow.bytes))', 1, 2, 0, 1);
                    INSERT INTO cutBase VALUES (1, 3, 1, 0, 10, 0);
                    INSERT INTO ledger VALUES (1, 3, 1, 1, 2);
                    INSERT INTO deadLetters VALUES (1, 1, 3, 1, x'00', 'old', 5);
                    """)
        }
        try queue.close()
        let store = try SQLiteOrderStore.open(path: path)
        let sale = try await store.sale()
        #expect(sale?.reservationTimeoutMilliseconds == nil && sale?.latePayments == .refund)
        #expect(try await store.expire(now: .max, limit: 10).expired == [])
        let letters = try await store.deadLetters(limit: 10)
        #expect(letters.map(\.order) == [nil] && letters.map(\.blob) == [[0]])
        let order = try Order(
            flow: Fixture.flow(2), lines: [.init(sku: .init(rawValue: 1), quantity: 1)],
            catalogue: await store.catalogue())
        let entry = EntrySettlement(
            bucket: order.bucket, id: .init(epoch: .init(rawValue: 3), n: 2), action: .deduct([order]))
        let paid = Payment(order: order, succeeded: true)
        let result = try await store.commit(CommitBatch(entries: [entry], payments: [paid]))
        #expect(result.entries[0].words == "settled" && result.payments == [.confirmed])
        let totals = try await store.orderTotals()
        #expect(totals.reserved == 1 && totals.sold == 1 && totals.deadLetters == 1 && totals.expired == 0)
        await store.close()
    }
}
