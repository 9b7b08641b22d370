import Inventory
import OrderStore
import Testing

/// The port's rules, one test each, for every kind of store.
@Suite struct OrderStoreRules {
    @Test(arguments: StoreKind.all)
    func aSaleIsCreatedOnceAndReadBack(kind: StoreKind) async throws {
        let folder = try TemporaryFolder()
        let store = try kind.open(folder)
        #expect(try await store.sale() == nil)
        let odd = "\u{1b}[31m红🧨"
        let long = String(repeating: "x", count: 10_000)
        let draft = SaleDraft(
            name: "n", durability: .memory,
            skus: [
                .init(sku: odd, name: odd, tag: "t", allocated: 1),
                .init(sku: long, name: long, tag: "u", allocated: 0),
            ])
        let sale = try await store.createSale(draft)
        #expect(sale.state == .warmed && sale.durability == .memory && sale.openedAtMilliseconds == nil)
        let catalogue = try await store.catalogue()
        #expect(catalogue.entries.map(\.sku) == [odd, long])
        #expect(catalogue.buckets.map(\.tag) == ["t", "u"])
        await #expect(throws: OrderStoreError.self) { try await store.createSale(draft) }
        #expect(try await store.sale() == sale)
        await store.close()
    }

    @Test(arguments: StoreKind.all)
    func aBadDraftIsRefusedInOneLine(kind: StoreKind) async throws {
        let folder = try TemporaryFolder()
        let store = try kind.open(folder)
        func draft(_ skus: [SaleDraft.SKU], name: String = "n") -> SaleDraft {
            SaleDraft(name: name, durability: .memory, skus: skus)
        }
        let good = SaleDraft.SKU(sku: "a", name: "", tag: "t", allocated: 1)
        let bad = [
            draft([]), draft([good], name: ""), draft([good, good]),
            draft([.init(sku: "", name: "", tag: "t", allocated: 1)]),
            draft([.init(sku: "a\0", name: "", tag: "t", allocated: 1)]),
            draft([.init(sku: "a", name: "", tag: "{", allocated: 1)]),
            draft([.init(sku: "a", name: "", tag: "t", allocated: -1)]),
            draft([.init(sku: "a", name: "", tag: "t", allocated: 1_000_000_000_001)]),
        ]
        for draft in bad {
            let error = await #expect(throws: OrderStoreError.self) { try await store.createSale(draft) }
            #expect(error?.outcome == .refused && error?.message.contains("\n") == false)
        }
        #expect(try await store.sale() == nil)
        await store.close()
    }

    /// SKUs that are made as they are asked for, and how many were.
    private struct Stream: Sequence, IteratorProtocol, Sendable {
        var number = 0
        let count: Int
        var bad: Int?

        mutating func next() -> SaleDraft.SKU? {
            guard number < count else { return nil }
            number += 1
            let name = number == bad ? "1" : "\(number)"
            return SaleDraft.SKU(
                sku: "sku\(name)", name: "SKU \(number)", tag: "t\(number % 7)", allocated: Int64(number),
                limitPerBuyer: number % 3 == 0 ? 2 : nil)
        }
    }

    @Test(
        "a streamed sale is what the same list makes, and a bad SKU at its end leaves nothing", arguments: StoreKind.all
    )
    func streamed(kind: StoreKind) async throws {
        let stream = Stream(count: 1_000)
        let folders = [try TemporaryFolder(), try TemporaryFolder()]
        let (streamed, listed) = (try kind.open(folders[0]), try kind.open(folders[1]))
        let error = await #expect(throws: OrderStoreError.self) {
            try await streamed.createSale(
                SaleDraft(name: "n", durability: .memory, streaming: Stream(count: 1_000, bad: 1_000)))
        }
        #expect(error?.outcome == .refused && error?.message.contains("stands twice") == true)
        #expect(try await streamed.sale() == nil)
        #expect(try await streamed.skuCounters().isEmpty)
        #expect(try await streamed.buckets().isEmpty)
        let identity = SaleIdentity.random()
        _ = try await streamed.createSale(
            SaleDraft(name: "n", durability: .memory, streaming: stream, identity: identity))
        _ = try await listed.createSale(
            SaleDraft(name: "n", durability: .memory, skus: Array(stream), identity: identity))
        let (one, other) = (try await streamed.catalogue(), try await listed.catalogue())
        #expect(one.entries == other.entries && one.buckets == other.buckets && one.sale == other.sale)
        #expect(one.entries.map(\.sku) == stream.map(\.sku))
        #expect(one.entries.map(\.limitPerBuyer) == stream.map(\.limitPerBuyer))
        #expect(try await streamed.skuCounters() == listed.skuCounters())
        #expect(try await streamed.skuCounters().map(\.allocated) == stream.map(\.allocated))
        for bucket in one.buckets {
            #expect(
                try await streamed.skuCounters(of: bucket.number)
                    == streamed.skuCounters().filter { one[$0.sku]?.bucket == bucket.number })
            #expect(try await streamed.bucket(bucket.number) == streamed.buckets().first { $0.bucket == bucket.number })
        }
        #expect(try await streamed.bucket(BucketNumber(rawValue: 99)) == nil)
        await streamed.close()
        await listed.close()
    }

    @Test(arguments: StoreKind.all)
    func saleStateIsComparedAndSet(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let opened = try await fixture.store.setSaleState(from: [.warmed], to: .open)
        #expect(opened.state == .open && opened.openedAtMilliseconds != nil)
        #expect(try await fixture.store.setSaleState(from: [.warmed], to: .closed).state == .open)
        _ = try await fixture.store.setSaleState(from: [.open], to: .halted)
        let again = try await fixture.store.setSaleState(from: [.halted], to: .open)
        #expect(again.openedAtMilliseconds == opened.openedAtMilliseconds)
    }

    @Test(arguments: StoreKind.all)
    func anEntryIsSettledWholeAndOnce(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = [try fixture.order(1, [(1, 2), (2, 1)]), try fixture.order(2, sku: 1, quantity: 3)]
        #expect(try await fixture.settle(epoch, 1, .deduct(orders)) == "settled")
        #expect(try await fixture.settle(epoch, 1, .deduct(orders)) == "already")
        #expect(try await fixture.counters(1).reserved == 5)
        #expect(try await fixture.counters(2).reserved == 1)
        #expect(try await fixture.taken(epoch, through: 1) == 5)
        #expect(try await fixture.drained() == "\(epoch.rawValue)-1")
        #expect(try await fixture.store.absent([1, 2, 3].map(Fixture.flow)) == [Fixture.flow(3)])
    }

    @Test(arguments: StoreKind.all)
    func drainedMovesOverTheGaplessPrefixOnly(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        for n in [2, 4, 3] as [Int64] {
            try await fixture.settle(epoch, n, .deduct([fixture.order(Int(n))]))
            #expect(try await fixture.drained() == "\(epoch.rawValue)-0")
        }
        #expect(try await fixture.settle(epoch, 3, .mark) == "already")
        #expect(try await fixture.taken(epoch, through: 2) == nil)
        try await fixture.settle(epoch, 1, .mark)
        #expect(try await fixture.drained() == "\(epoch.rawValue)-4")
        #expect(try await fixture.taken(epoch, through: 2) == 1)
        #expect(try await fixture.taken(epoch, through: 4) == 3)
        #expect(try await fixture.taken(epoch, through: 3) == 2)
    }

    @Test(arguments: StoreKind.all)
    func aStaleEntryChangesNothingAndTheOthersGoOn(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let old = try await fixture.open(fixture.bucket)
        let epoch = try await fixture.open(fixture.bucket)
        let other = try await fixture.open(fixture.otherBucket)
        let result = try await fixture.store.commit(
            CommitBatch(
                entries: [
                    .init(bucket: fixture.bucket, id: .init(epoch: old, n: 1), action: .deduct([fixture.order(1)])),
                    .init(
                        bucket: fixture.otherBucket, id: .init(epoch: other, n: 1),
                        action: .deduct([fixture.order(2, sku: 3)])),
                    .init(bucket: fixture.bucket, id: .init(epoch: epoch, n: 1), action: .deduct([fixture.order(3)])),
                    .init(bucket: .init(rawValue: 99), id: .init(epoch: epoch, n: 1), action: .mark),
                ],
                duplicates: [.init(order: try fixture.order(1), id: .init(epoch: old, n: 1))]))
        #expect(result.entries.map(\.words) == ["stale", "settled", "settled", "stale"])
        #expect(result.duplicates.map(\.words) == ["stale"])
        #expect(try await fixture.counters(1).reserved == 1)
        #expect(try await fixture.store.absent([Fixture.flow(1)]) == [Fixture.flow(1)])
    }

    /// A fold ends give-backs and restocks, for the rebuilding that follows writes them to Redis; if it never did, Redis has not
    /// heard of them, however well its counters agree with what SQL had moved by then.
    @Test(arguments: StoreKind.all, [true, false])
    func whatARecoveryFoldedAndDidNotWriteIsRebuilt(kind: StoreKind, folds: Bool) async throws {
        let fixture = try await Fixture(kind, units: 2)
        let epoch = try await fixture.open(fixture.bucket)
        try await fixture.settle(epoch, 1, .deduct([fixture.order(1)]))
        _ = try await fixture.store.cancel([fixture.order(1)])
        let first = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "dies")
        if folds { _ = try await fixture.store.fold(bucket: fixture.bucket, claim: first) }
        let second = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "next")
        let held = [Int32(1), 2].map { sku in
            HeldSKU(
                sku: SKUNumber(rawValue: sku), allocated: 2, version: 0, taken: sku == 1 ? 1 : 0, frozen: false,
                flows: sku == 1 ? 1 : 0)
        }
        let reopens = try await fixture.store.reopen(
            bucket: fixture.bucket, claim: second, at: OutboxID(epoch: epoch, n: 1), holding: held)
        #expect(reopens == !folds)
    }

    /// Nobody was told yes for it: SQL had no row. Kept as a row beyond capacity it could be taken in later, after a final no.
    @Test(arguments: StoreKind.all)
    func atDurableARecoveryVoidsWhatFindsNoRoom(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, units: 1)
        let old = try await fixture.open(fixture.bucket)
        try await fixture.settle(old, 1, .deduct([fixture.order(1)]))
        let claim = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "r")
        #expect(try await fixture.settle(old, 2, .deduct([fixture.order(2)]), claim: claim) == "settled 2:overCapacity")
        let totals = try await fixture.store.orderTotals()
        #expect(totals.void == 1 && totals.overCapacity == 0)
        let fold = try await fixture.store.fold(bucket: fixture.bucket, claim: claim)
        #expect(fold.skus.map(\.taken) == [1, 0])
        #expect(fold.ledger.map(\.quantity) == [1, 1])
        #expect(fold.ledger.map(\.cancelled) == [false, true])
        #expect(try await fixture.pendingFlows() == [])
    }

    @Test(arguments: StoreKind.all)
    func aRecoveringBucketTakesEntriesOnlyUnderItsClaimAndBeforeItsFold(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, durability: .memory, units: 2)
        let old = try await fixture.open(fixture.bucket)
        try await fixture.settle(old, 1, .deduct([fixture.order(1)]))
        let claim = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "r")
        let late = EntrySettlement.Action.deduct([try fixture.order(2), try fixture.order(3)])
        #expect(try await fixture.settle(old, 2, late) == "stale")
        #expect(try await fixture.settle(old, 2, late, claim: old) == "stale")
        #expect(try await fixture.settle(old, 2, late, claim: claim) == "settled 3:overCapacity")
        #expect(try await fixture.settle(old, 2, late, claim: claim) == "already 3:overCapacity")
        let counters = try await fixture.counters()
        #expect(counters.reserved == 2 && counters.overCapacity == 1)
        #expect(try await fixture.pendingFlows() == [])
        let fold = try await fixture.store.fold(bucket: fixture.bucket, claim: claim)
        #expect(fold.skus.map(\.taken) == [2, 0])
        #expect(fold.ledger.map(\.quantity) == [1, 1, 0])
        #expect(try await fixture.settle(old, 3, .deduct([fixture.order(4)]), claim: claim) == "stale")
        _ = try await fixture.store.markOpened(bucket: fixture.bucket, claim: claim)
        #expect(try await fixture.settle(old, 3, .deduct([fixture.order(4)]), claim: claim) == "stale")
        #expect(try await fixture.drained() == "\(claim.rawValue)-0")
        #expect(try await fixture.taken(claim, through: 0) == 2)
    }

    @Test(arguments: StoreKind.all)
    func beyondCapacityIsVoidAtDurableAndKeptOutsideBelow(kind: StoreKind) async throws {
        for durability in Durability.anywhere {
            let fixture = try await Fixture(kind, durability: durability, units: 3)
            let epoch = try await fixture.open(fixture.bucket)
            // Both lines or none: the second order fits for SKU 2 but not for SKU 1; the third fits again.
            let orders = [
                try fixture.order(1, sku: 1, quantity: 2), try fixture.order(2, [(1, 2), (2, 1)]), try fixture.order(3),
            ]
            #expect(try await fixture.settle(epoch, 1, .deduct(orders)) == "settled 2:overCapacity")
            let counters = try await fixture.counters()
            #expect(counters.reserved == 3)
            #expect(counters.overCapacity == (durability == .durable ? 0 : 2))
            #expect(try await fixture.counters(2).reserved == 0)
            #expect(try await fixture.pendingFlows() == (durability == .durable ? [Fixture.flow(2)] : []))
            #expect(try await fixture.taken(epoch, through: 1) == 5)
            let totals = try await fixture.store.orderTotals()
            #expect(totals.reserved == 2)
            #expect(totals.void == (durability == .durable ? 1 : 0))
            #expect(totals.overCapacity == (durability == .durable ? 0 : 1))
            #expect(try await fixture.store.absent([Fixture.flow(2)]).count == 1)
            let page = try await fixture.store.ledgerPage(sku: SKUNumber(rawValue: 1), after: nil, limit: 10)
            #expect(page.map(\.quantity) == (durability == .durable ? [2, 2, 1] : [2, 0, 1]))
            #expect(page.map(\.cancelled) == [false, durability == .durable, false])
            // A void row is never turned back into an order.
            _ = try await fixture.store.restock(SKUNumber(rawValue: 1), units: 100)
            #expect(try await fixture.settle(epoch, 2, .deduct([orders[1]])) == "settled 2:overCapacity")
        }
    }

    @Test(arguments: StoreKind.all)
    func anotherOrderUnderTheSameFlowIsAConflictAndGivenBack(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        let other = try await fixture.open(fixture.otherBucket)
        try await fixture.settle(epoch, 1, .deduct([fixture.order(1)]))
        let elsewhere = try fixture.order(1, sku: 3)
        #expect(
            try await fixture.settle(other, 1, .deduct([elsewhere]), bucket: fixture.otherBucket)
                == "settled 1:conflict")
        #expect(try await fixture.settle(epoch, 2, .deduct([fixture.order(1, quantity: 2)])) == "settled 1:conflict")
        #expect(try await fixture.counters(1).reserved == 1)
        #expect(try await fixture.counters(3).reserved == 0)
        #expect(try await fixture.taken(epoch, through: 2) == 3)
        #expect(try await fixture.pendingFlows().count == 2)
        #expect(
            try await fixture.store.pendingGiveBacks(bucket: fixture.otherBucket, limit: 9).map(\.order) == [elsewhere])
        // Done in Redis: a movement back, and nothing pending.
        try await fixture.settle(
            other, 2, .release(givenBack: [elsewhere], tombstones: []), bucket: fixture.otherBucket)
        #expect(try await fixture.store.pendingGiveBacks(bucket: fixture.otherBucket, limit: 9).isEmpty)
        let cut = try await fixture.store.foldForCut(bucket: fixture.otherBucket, through: .init(epoch: other, n: 2))
        #expect(cut?[SKUNumber(rawValue: 3)]?.taken == 0)
        // Taken again after it was given back: asked for again.
        #expect(
            try await fixture.settle(other, 3, .deduct([elsewhere]), bucket: fixture.otherBucket)
                == "settled 1:conflict")
        #expect(try await fixture.store.pendingGiveBacks(bucket: fixture.otherBucket, limit: 9).count == 1)
    }

    @Test(arguments: StoreKind.all)
    func aCancelledFlowStaysCancelled(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        let taken = try fixture.order(1)
        let ahead = try fixture.order(2)
        try await fixture.settle(epoch, 1, .deduct([taken]))
        #expect(try await fixture.store.cancel([taken, ahead, taken]) == [.cancelled, .cancelled, .alreadyCancelled])
        #expect(try await fixture.store.cancel([fixture.order(1, quantity: 2)]) == [.conflict])
        #expect(try await fixture.counters().reserved == 0)
        #expect(try await fixture.pendingFlows() == [Fixture.flow(1), Fixture.flow(2)])
        #expect(try await fixture.store.absent([taken.flow, ahead.flow]).isEmpty)
        try await fixture.settle(epoch, 2, .release(givenBack: [taken], tombstones: [ahead]))
        #expect(try await fixture.pendingFlows() == [])
        #expect(try await fixture.taken(epoch, through: 2) == 0)
        #expect(try await fixture.settle(epoch, 3, .deduct([ahead])) == "settled 2:cancelled")
        #expect(try await fixture.pendingFlows() == [Fixture.flow(2)])
        #expect(try await fixture.counters().reserved == 0)
    }

    @Test(arguments: StoreKind.all)
    func aTakeSettledAfterItsReleaseIsNotGivenBackTwice(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        let order = try fixture.order(1)
        #expect(try await fixture.store.cancel([order]) == [.cancelled])
        try await fixture.settle(epoch, 2, .release(givenBack: [order], tombstones: []))
        #expect(try await fixture.pendingFlows() == [])
        #expect(try await fixture.settle(epoch, 1, .deduct([order])) == "settled 1:cancelled")
        #expect(try await fixture.pendingFlows() == [])
        #expect(try await fixture.taken(epoch, through: 2) == 0)
    }

    @Test(arguments: StoreKind.all)
    func aPaymentConfirmsOrCancelsOnce(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = [try fixture.order(1, quantity: 2), try fixture.order(2)]
        try await fixture.settle(epoch, 1, .deduct(orders))
        #expect(try await fixture.pay(orders[0]) == .confirmed)
        #expect(try await fixture.pay(orders[0]) == .already(sold: true))
        #expect(try await fixture.pay(orders[0], succeeded: false) == .already(sold: true))
        #expect(try await fixture.pay(fixture.order(1)) == .refunded(.conflict))
        #expect(try await fixture.store.cancel([orders[0]]) == [.sold])
        #expect(try await fixture.pay(orders[1], succeeded: false) == .cancelled)
        #expect(try await fixture.pay(orders[1]) == .refunded(.cancelled))
        #expect(try await fixture.pay(orders[1]) == .refunded(.cancelled))
        let counters = try await fixture.counters()
        #expect(counters.sold == 2 && counters.reserved == 0)
        #expect(try await fixture.pendingFlows() == [Fixture.flow(2)])
        #expect(try await fixture.settle(epoch, 1, .deduct(orders)) == "already 2:cancelled")
    }

    @Test(arguments: StoreKind.all)
    func anOverCapacityRowThatIsCancelledLeavesItsCounter(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, durability: .memory, units: 0)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = [try fixture.order(1), try fixture.order(2)]
        try await fixture.settle(epoch, 1, .deduct(orders))
        #expect(try await fixture.pay(orders[0]) == .waiting)
        #expect(try await fixture.pay(orders[0], succeeded: false) == .cancelled)
        #expect(try await fixture.store.cancel([orders[1]]) == [.cancelled])
        #expect(try await fixture.counters().overCapacity == 0)
        #expect(try await fixture.pendingFlows().count == 2)
    }

    @Test(arguments: StoreKind.all)
    func aDuplicateInsertsWithoutMovementAndItsEntryMovesLater(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        let order = try fixture.order(1)
        let duplicate = DuplicateSettlement(order: order, id: OutboxID(epoch: epoch, n: 1))
        let result = try await fixture.store.commit(CommitBatch(duplicates: [duplicate, duplicate]))
        #expect(result.duplicates.map(\.words) == ["settled committed", "settled committed"])
        #expect(try await fixture.counters().reserved == 1)
        #expect(try await fixture.taken(epoch, through: 0) == 0)
        #expect(try await fixture.settle(epoch, 1, .deduct([order])) == "settled")
        #expect(try await fixture.counters().reserved == 1)
        #expect(try await fixture.taken(epoch, through: 1) == 1)
    }

    @Test(arguments: StoreKind.all)
    func aRestockCountsInTheCutFromTheEntryThatAppliedIt(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let sku = SKUNumber(rawValue: 1)
        let epoch = try await fixture.open(fixture.bucket)
        let restock = try await fixture.store.restock(sku, units: 5)
        #expect(restock == Restock(sku: sku, fromVersion: 0, units: 5))
        #expect(try await fixture.counters().allocated == 15)
        #expect(try await fixture.store.pendingRestocks() == [restock])
        try await fixture.settle(epoch, 1, .mark)
        try await fixture.settle(epoch, 2, .restock(sku: sku, version: 0, units: 5))
        #expect(try await fixture.store.pendingRestocks() == [])
        var cut = try await fixture.store.foldForCut(bucket: fixture.bucket, through: .init(epoch: epoch, n: 1))
        #expect(cut?[sku] == CutFold(allocated: 10, version: 0, taken: 0, frozen: false))
        cut = try await fixture.store.foldForCut(bucket: fixture.bucket, through: .init(epoch: epoch, n: 2))
        #expect(cut?[sku] == CutFold(allocated: 15, version: 1, taken: 0, frozen: false))
        try await fixture.settle(epoch, 3, .restock(sku: sku, version: 7, units: 5))
        #expect(try await fixture.store.orderTotals().deadLetters == 1)
        for units in [0, -16, .min, 1_000_000_000_000] as [Int64] {
            await #expect(throws: OrderStoreError.self) { try await fixture.store.restock(sku, units: units) }
        }
    }

    @Test(arguments: StoreKind.all)
    func theFoldEndsWhatItContainsAndWhatComesAfterIsPending(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let sku = SKUNumber(rawValue: 1)
        let old = try await fixture.open(fixture.bucket)
        let orders = try (1...3).map { try fixture.order($0, [(1, 1), (2, 1)]) }
        try await fixture.settle(old, 1, .deduct(orders))
        _ = try await fixture.store.cancel([orders[0], fixture.order(9, sku: 3)])
        _ = try await fixture.store.restock(sku, units: 5)
        #expect(try await fixture.store.setFrozen(sku, true) == false)
        let claim = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "r")
        await #expect(throws: OrderStoreError.self) {
            try await fixture.store.markOpened(bucket: fixture.bucket, claim: claim)
        }
        let fold = try await fixture.store.fold(bucket: fixture.bucket, claim: claim)
        #expect(fold.skus[0].allocated == 15 && fold.skus[0].version == 1 && fold.skus[0].taken == 2)
        #expect(fold.skus[0].frozen && !fold.skus[1].frozen && fold.saleState == .warmed)
        #expect(fold.ledger.map(\.sku.rawValue) == [1, 1, 1, 2, 2, 2])
        #expect(fold.ledger.map(\.flow) == (orders + orders).map(\.flow))
        #expect(fold.ledger.map(\.digest) == (orders + orders).map(\.digest))
        #expect(fold.ledger.map(\.cancelled) == [true, false, false, true, false, false])
        #expect(try await fixture.pendingFlows() == [Fixture.flow(9)])
        #expect(try await fixture.store.pendingRestocks().isEmpty)
        _ = try await fixture.store.cancel([orders[1]])
        _ = try await fixture.store.setSaleState(from: [.warmed], to: .open)
        let opening = OpeningState(saleState: .open, frozen: [sku], act: 2)
        #expect(try await fixture.store.markOpened(bucket: fixture.bucket, claim: claim) == opening)
        #expect(try await fixture.store.markOpened(bucket: fixture.bucket, claim: claim) == opening)
        #expect(try await fixture.pendingFlows() == [Fixture.flow(2), Fixture.flow(9)])
        let cut = try await fixture.store.foldForCut(bucket: fixture.bucket, through: .init(epoch: claim, n: 0))
        #expect(cut?[sku] == CutFold(allocated: 15, version: 1, taken: 2, frozen: true))
        #expect(try await fixture.store.foldForCut(bucket: fixture.bucket, through: .init(epoch: old, n: 1)) == nil)
    }

    @Test(arguments: StoreKind.all)
    func whatCannotBeAnOrderIsADeadLetterAndBlocksNothing(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        func forged(_ number: Int, _ lines: [(Int32, Int32)], bucket: Int32 = 1) -> Order {
            Order(
                trustedFlow: Fixture.flow(number), bucket: BucketNumber(rawValue: bucket),
                sortedLines: lines.map { OrderLine(sku: SKUNumber(rawValue: $0.0), quantity: $0.1) })
        }
        let poison = [
            forged(1, [(77, 1)]), forged(2, [(1, 1), (1, 1)]), forged(3, [(3, 1)]), forged(4, []), forged(5, [(1, 0)]),
            forged(6, [(1, 1)], bucket: 2), forged(7, [(-1, 1)]), forged(8, [(.max, 1)]),
        ]
        let exceptions = (1...8).map { " \($0):conflict" }.joined()
        #expect(try await fixture.settle(epoch, 1, .deduct(poison + [fixture.order(9)])) == "settled" + exceptions)
        #expect(try await fixture.settle(epoch, 2, .unreadable(blob: [1, 2, 3])) == "settled")
        #expect(try await fixture.settle(epoch, 3, .unreadable(blob: [])) == "settled")
        #expect(try await fixture.settle(epoch, 4, .repair(sku: .init(rawValue: 1), delta: .max)) == "settled")
        #expect(try await fixture.settle(epoch, 5, .repair(sku: .init(rawValue: 2), delta: -2)) == "settled")
        #expect(try await fixture.store.orderTotals().deadLetters == 11)
        #expect(try await fixture.counters().reserved == 1)
        #expect(try await fixture.taken(epoch, through: 5, sku: 2) == -2)
        #expect(try await fixture.drained() == "\(epoch.rawValue)-5")
    }

    @Test(arguments: StoreKind.all)
    func aLedgerPageGoesOnAfterItsLastFlow(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = try (1...5).map { try fixture.order($0, sku: $0 == 3 ? 2 : 1) }
        try await fixture.settle(epoch, 1, .deduct(orders))
        let sku = SKUNumber(rawValue: 1)
        let first = try await fixture.store.ledgerPage(sku: sku, after: nil, limit: 3)
        #expect(first.map(\.flow) == [1, 2, 4].map(Fixture.flow))
        #expect(
            first[0]
                == LedgerRow(
                    sku: sku, flow: Fixture.flow(1), digest: orders[0].digest, quantity: 1, cancelled: false, n: 1))
        #expect(
            try await fixture.store.ledgerPage(sku: sku, after: first[2].flow, limit: 3).map(\.flow) == [
                Fixture.flow(5)
            ])
    }

    @Test(arguments: StoreKind.all)
    func epochsGrowAboveEveryOneSeen(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let first = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .init(rawValue: 40), by: "a")
        let second = try await fixture.store.claimEpoch(bucket: fixture.otherBucket, above: .none, by: "b")
        #expect(first.rawValue == 41 && second.rawValue == 42)
        await #expect(throws: OrderStoreError.self) {
            try await fixture.store.claimEpoch(bucket: fixture.bucket, above: .init(rawValue: .max), by: "a")
        }
        await #expect(throws: OrderStoreError.self) {
            try await fixture.store.claimEpoch(bucket: .init(rawValue: 9), above: .none, by: "a")
        }
    }

    @Test(arguments: StoreKind.all)
    func theAuditTrailIsNewestFirst(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let entries = (1...3).map {
            AuditEntry(
                atMilliseconds: Int64($0), who: "w", origin: "o", what: "freeze", subject: "a'\u{1b}", before: "",
                after: "1")
        }
        for entry in entries { try await fixture.store.audit(entry) }
        #expect(try await fixture.store.auditTrail(limit: 2) == [entries[2], entries[1]])
    }

    // MARK: Two stores on one database

    @Test(arguments: [StoreKind.file])
    func aStaleEngineChangesNothingAfterAnotherRecovered(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, units: 10)
        let second = try kind.open(fixture.folder)
        let old = try await fixture.open(fixture.bucket)
        try await fixture.settle(old, 1, .deduct([fixture.order(1, quantity: 4)]))
        let epoch = try await fixture.open(fixture.bucket, in: second)
        let ten = EntrySettlement(
            bucket: fixture.bucket, id: .init(epoch: epoch, n: 1), action: .deduct([try fixture.order(2, quantity: 6)]))
        #expect(try await second.commit(CommitBatch(entries: [ten])).entries[0].words == "settled")
        // The first engine took these under the old epoch, stalled, and commits only now.
        let before = try await second.skuCounters()
        #expect(try await fixture.settle(old, 2, .deduct([fixture.order(3, quantity: 4)])) == "stale")
        #expect(
            try await fixture.settle(old, 2, .release(givenBack: [fixture.order(1, quantity: 4)], tombstones: []))
                == "stale")
        #expect(try await second.skuCounters() == before)
        #expect(try await fixture.taken(epoch, through: 1) == 10)
        await second.close()
    }

    @Test(arguments: [StoreKind.file])
    func theOlderOfTwoClaimsIsRefused(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let second = try kind.open(fixture.folder)
        async let one = fixture.store.claimEpoch(bucket: fixture.bucket, above: .none, by: "one")
        async let two = second.claimEpoch(bucket: fixture.bucket, above: .none, by: "two")
        let claims = try await [one, two].sorted()
        #expect(claims[0] < claims[1])
        for store in [fixture.store, second] {
            let folding = await #expect(throws: OrderStoreError.self) {
                try await store.fold(bucket: fixture.bucket, claim: claims[0])
            }
            #expect(folding?.outcome == .refused)
            await #expect(throws: OrderStoreError.self) {
                try await store.markOpened(bucket: fixture.bucket, claim: claims[0])
            }
        }
        _ = try await second.fold(bucket: fixture.bucket, claim: claims[1])
        _ = try await fixture.store.markOpened(bucket: fixture.bucket, claim: claims[1])
        await #expect(throws: OrderStoreError.self) { try await second.fold(bucket: fixture.bucket, claim: claims[1]) }
        await second.close()
    }
}
