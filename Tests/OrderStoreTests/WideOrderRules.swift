import Inventory
import OrderStore
import Testing

/// Orders over several buckets: SKUs 1 and 2 lie in bucket 1, SKU 3 in bucket 2.
@Suite struct WideOrderRules {
    struct Floor {
        let fixture: Fixture
        var epochs: [BucketNumber: Epoch]
        var store: any OrderStore { fixture.store }

        init(
            _ kind: StoreKind, durability: Durability = .durable, units: Int64 = 10, timeout: Int64? = nil,
            latePayments: LatePaymentPolicy = .refund
        ) async throws {
            fixture = try await Fixture(
                kind, durability: durability, units: units, timeout: timeout, latePayments: latePayments)
            epochs = [:]
            for bucket in fixture.catalogue.buckets { epochs[bucket.number] = try await fixture.open(bucket.number) }
        }

        func order(_ number: Int, _ lines: [(Int32, Int32)] = [(1, 2), (3, 1)]) throws -> WideOrder {
            let order = try Order.across(
                flow: Fixture.flow(number),
                lines: lines.map { OrderLine(sku: SKUNumber(rawValue: $0.0), quantity: $0.1) },
                catalogue: fixture.catalogue)
            return try #require(order.wide)
        }

        /// Settles one group, as entry `n` of its bucket.
        func take(_ order: WideOrder, _ group: Int, n: Int64 = 1) async throws -> String {
            let bucket = order.groups[group].bucket
            return try await fixture.settle(
                epochs[bucket]!, n, .deduct([order.orders[group]]), bucket: bucket)
        }

        func reserved() async throws -> [Int64] { try await store.skuCounters().map(\.reserved) }
        func sold() async throws -> [Int64] { try await store.skuCounters().map(\.sold) }
        func pending() async throws -> [Order] { try await store.pendingGiveBacks(limit: 100).map(\.order) }
        func halfDone() async throws -> [HalfDoneOrder] { try await store.halfDone(limit: 100) }
    }

    @Test("it is partial until its last group came, whichever comes first; what came counts", arguments: StoreKind.all)
    func groupsCome(kind: StoreKind) async throws {
        for first in [0, 1] {
            let floor = try await Floor(kind)
            let order = try floor.order(1)
            #expect(try await floor.take(order, first) == "settled 1:partial")
            #expect(try await floor.reserved() == (first == 0 ? [2, 0, 0] : [0, 0, 1]))
            #expect(try await floor.store.orderTotals().partial == 1)
            #expect(try await floor.store.absent([order.flow]) == [order.flow])
            let found = try await floor.halfDone()
            #expect(found.map(\.order) == [order] && found[0].arrived == [order.groups[first].bucket])
            #expect(found[0].unitsHeld == (first == 0 ? 2 : 1))
            // Settled twice it comes once.
            #expect(try await floor.take(order, first) == "already 1:partial")
            #expect(try await floor.take(order, 1 - first) == "settled")
            #expect(try await floor.take(order, first) == "already")
            #expect(try await floor.reserved() == [2, 0, 1])
            #expect(try await floor.halfDone().isEmpty)
            let totals = try await floor.store.orderTotals()
            #expect(totals.reserved == 1 && totals.partial == 0)
            #expect(try await floor.store.absent([order.flow]).isEmpty)
        }
    }

    @Test("young ones are not looked at", arguments: StoreKind.all)
    func young(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        _ = try await floor.take(try floor.order(1), 0)
        #expect(try await floor.store.halfDone(limit: 0).isEmpty)
    }

    @Test("a payment sells or ends it whole, whichever group it names", arguments: StoreKind.all)
    func payments(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        for number in 1...2 {
            let order = try floor.order(number)
            for group in 0...1 { _ = try await floor.take(order, group, n: Int64(number)) }
        }
        let (paid, failed) = (try floor.order(1), try floor.order(2))
        #expect(try await floor.fixture.pay(paid.orders[1]) == .confirmed)
        #expect(try await floor.fixture.pay(paid.orders[0]) == .already(sold: true))
        #expect(try await floor.sold() == [2, 0, 1])
        #expect(try await floor.fixture.pay(failed.orders[0], succeeded: false) == .cancelled)
        #expect(try await floor.fixture.pay(failed.orders[1], succeeded: false) == .already(sold: false))
        #expect(try await floor.reserved() == [0, 0, 0])
        #expect(Set(try await floor.pending()) == Set(failed.orders))
        #expect(try await floor.store.cancel([paid.orders[0], failed.orders[0]]) == [.sold, .alreadyCancelled])
    }

    @Test("a payment that comes before its last group waits, and sells it with that group", arguments: StoreKind.all)
    func earlyPayment(kind: StoreKind) async throws {
        let floor = try await Floor(kind, latePayments: .reserveAgain)
        let (order, unpaid, undone, absent) = (
            try floor.order(1), try floor.order(2), try floor.order(3), try floor.order(4)
        )
        for (n, one) in [order, unpaid, undone].enumerated() { _ = try await floor.take(one, 0, n: Int64(n + 1)) }
        for one in [order, undone, absent] { #expect(try await floor.fixture.pay(one.orders[1]) == .waiting) }
        // A failed payment ends an order that is not whole.
        #expect(try await floor.fixture.pay(unpaid.orders[0], succeeded: false) == .cancelled)
        // What was paid for once is not undone by another answer.
        #expect(try await floor.fixture.pay(order.orders[0], succeeded: false) == .waiting)
        #expect(try await floor.take(order, 1, n: 1) == "settled")
        #expect(try await floor.sold() == [2, 0, 1])
        // One that can never be whole goes the late way, with all its lines.
        #expect(try await floor.store.undo([undone]) == [.undone])
        _ = try await floor.store.settleWaitingPayments(
            overdue: [PaymentPosition(flow: absent.flow, digest: absent.orders[1].digest)], after: nil, limit: 100)
        let again = try await floor.store.paymentsToReserveAgain(limit: 10)
        #expect(again.map(\.order.wide) == [undone, absent])
        #expect(try await floor.store.undo([absent]) == [.undone])
        let other = again[0].order.again(under: Fixture.flow(9))
        #expect(other.flow == Fixture.flow(9) && other.allLines == undone.orders[0].allLines)
        try await floor.store.endReservingAgain(again[0].order, reserved: false)
        #expect(try await floor.store.refunds(limit: 10).map(\.units) == [3])
        #expect(try await floor.reserved() == [0, 0, 0])
    }

    @Test("it expires whole, at the deadline that began with its last group", arguments: StoreKind.all)
    func expiry(kind: StoreKind) async throws {
        let floor = try await Floor(kind, timeout: 1_000)
        let (order, partial) = (try floor.order(1), try floor.order(2))
        _ = try await floor.take(order, 0, n: 1)
        _ = try await floor.take(partial, 0, n: 2)
        floor.fixture.time.milliseconds += 600
        _ = try await floor.take(order, 1, n: 1)
        let wholeAt = floor.fixture.time.milliseconds
        #expect(try await floor.store.expire(now: wholeAt + 999, limit: 100).expired.isEmpty)
        let sweep = try await floor.store.expire(now: wholeAt + 1_000, limit: 100)
        #expect(sweep.expired.map(\.order.wide) == [order])
        #expect(try await floor.reserved() == [2, 0, 0])
        #expect(Set(try await floor.pending()) == Set(order.orders))
        let totals = try await floor.store.orderTotals()
        #expect(totals.expired == 1 && totals.partial == 1)
        #expect(try await floor.store.undo([order]) == [.undone])
        #expect(try await floor.take(order, 1, n: 2) == "settled 1:cancelled")
        #expect(try await floor.fixture.pay(order.orders[0]) == .refunded(.expired))
        #expect(try await floor.store.refunds(limit: 1).map(\.units) == [3])
    }

    @Test("beyond capacity it loses whole, or is taken in bucket by bucket", arguments: StoreKind.all, [true, false])
    func oversold(kind: StoreKind, loses: Bool) async throws {
        let floor = try await Floor(kind, durability: .memory, units: 2)
        let order = try floor.order(1, [(1, 1), (3, 1)])
        let filler = try floor.fixture.order(2, sku: 3, quantity: 2)
        let bucket = filler.bucket
        _ = try await floor.fixture.settle(floor.epochs[bucket]!, 1, .deduct([filler]), bucket: bucket)
        _ = try await floor.take(order, 0)
        let claim = try await floor.store.claimEpoch(bucket: bucket, above: .none, by: "test")
        let text = try await floor.fixture.settle(
            floor.epochs[bucket]!, 2, .deduct([order.orders[1]]), claim: claim, bucket: bucket)
        #expect(text == "settled 1:overCapacity")
        let books = try await floor.store.oversold(policy: .newestFirst)
        #expect(books.orders.map(\.order) == [order.orders[1], filler])
        #expect(books.orders.map(\.isOverCapacity) == [true, false])
        if loses {
            try await floor.store.settleOversold(
                .init(bucket: bucket, losers: [order.orders[1]], takenIn: []), claim: claim)
            #expect(try await floor.reserved() == [0, 0, 2])
            #expect(Set(try await floor.pending()) == Set(order.orders))
            #expect(try await floor.store.refunds(limit: 10).map(\.units) == [2])
        } else {
            #expect(try await floor.fixture.pay(order.orders[0]) == .waiting)
            try await floor.store.settleOversold(
                .init(bucket: bucket, losers: [filler], takenIn: [order.orders[1]]), claim: claim)
            #expect(try await floor.sold() == [1, 0, 1])
            #expect(try await floor.reserved() == [0, 0, 0])
        }
        #expect(try await floor.store.skuCounters().map(\.overCapacity) == [0, 0, 0])
        #expect(try await floor.store.oversold(policy: .newestFirst).orders.isEmpty)
    }

    @Test("a give-back ends group by group", arguments: StoreKind.all)
    func giveBacks(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let order = try floor.order(1)
        for group in 0...1 { _ = try await floor.take(order, group) }
        #expect(try await floor.store.cancel([order.orders[1]]) == [.cancelled])
        for (group, left) in [(0, [order.orders[1]]), (1, [])] {
            let bucket = order.groups[group].bucket
            _ = try await floor.fixture.settle(
                floor.epochs[bucket]!, 2, .release(givenBack: [order.orders[group]], tombstones: []), bucket: bucket)
            #expect(try await floor.pending() == left)
        }
        let ids = try await floor.store.buckets().map(\.drainedThrough)
        let taken = try await floor.store.foldForCut(bucket: floor.fixture.bucket, through: ids[0])
        #expect(taken?[SKUNumber(rawValue: 1)]?.taken == 0)
    }

    @Test("the undoing of a half-done one is final for a group that comes later", arguments: StoreKind.all)
    func undone(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let order = try floor.order(1)
        _ = try await floor.take(order, 0)
        #expect(try await floor.store.undo([order]) == [.undone])
        #expect(try await floor.store.undo([order]) == [.undone])
        #expect(try await floor.reserved() == [0, 0, 0])
        #expect(try await floor.halfDone().isEmpty)
        #expect(Set(try await floor.pending()) == Set(order.orders))
        // The engine was only late: its commit loses.
        #expect(try await floor.take(order, 1) == "settled 1:cancelled")
        #expect(try await floor.reserved() == [0, 0, 0])
        #expect(try await floor.store.orderTotals().cancelled == 1)
    }

    @Test(
        "a whole one is not undone; an absent one is forbidden; another's flow is left alone", arguments: StoreKind.all)
    func undoing(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let (whole, absent) = (try floor.order(1), try floor.order(2))
        for group in 0...1 { _ = try await floor.take(whole, group) }
        #expect(try await floor.store.undo([whole, absent]) == [.stands, .undone])
        #expect(try await floor.reserved() == [2, 0, 1])
        #expect(try await floor.take(absent, 0, n: 2) == "settled 2:cancelled")
        #expect(try await floor.store.undo([try floor.order(1, [(2, 1), (3, 1)])]) == [.conflict])
        _ = try await floor.fixture.pay(whole.orders[0])
        #expect(try await floor.store.undo([whole]) == [.stands])
    }

    @Test("a tombstone that Redis has is not asked for again", arguments: StoreKind.all)
    func tombstones(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let order = try floor.order(1)
        _ = try await floor.take(order, 0)
        let missing = order.orders[1]
        _ = try await floor.fixture.settle(
            floor.epochs[missing.bucket]!, 1, .release(givenBack: [], tombstones: [missing]), bucket: missing.bucket)
        #expect(try await floor.store.undo([order]) == [.undone])
        #expect(try await floor.pending() == [order.orders[0]])
        // A server that forgot it takes the group after all: that is given back.
        #expect(try await floor.take(order, 1, n: 2) == "settled 1:cancelled")
        #expect(Set(try await floor.pending()) == Set(order.orders))
    }

    @Test("beyond capacity it is void whole at durable, and everything is given back", arguments: StoreKind.all)
    func void(kind: StoreKind) async throws {
        let floor = try await Floor(kind, units: 2)
        let order = try floor.order(1, [(1, 1), (3, 1)])
        _ = try await floor.take(order, 0)
        let filler = try floor.fixture.order(2, sku: 3, quantity: 2)
        _ = try await floor.fixture.settle(
            floor.epochs[filler.bucket]!, 1, .deduct([filler]), bucket: filler.bucket)
        #expect(try await floor.take(order, 1, n: 2) == "settled 1:overCapacity")
        #expect(try await floor.reserved() == [0, 0, 2])
        #expect(Set(try await floor.pending()) == Set(order.orders))
        let totals = try await floor.store.orderTotals()
        #expect(totals.void == 1 && totals.partial == 0 && totals.reserved == 1)
        #expect(try await floor.take(order, 0) == "already 1:overCapacity")
    }

    @Test(
        "beyond capacity below durable its fitting groups stay counted until it is cancelled", arguments: StoreKind.all)
    func overCapacity(kind: StoreKind) async throws {
        let floor = try await Floor(kind, durability: .memory, units: 2)
        let order = try floor.order(1, [(1, 1), (3, 1)])
        let filler = try floor.fixture.order(2, sku: 3, quantity: 2)
        _ = try await floor.fixture.settle(
            floor.epochs[filler.bucket]!, 1, .deduct([filler]), bucket: filler.bucket)
        #expect(try await floor.take(order, 1, n: 2) == "settled 1:overCapacity")
        #expect(try await floor.take(order, 0) == "settled 1:overCapacity")
        // Redis holds the first group's unit: the stock is right only if SQL counts it.
        #expect(try await floor.reserved() == [1, 0, 2])
        #expect(try await floor.store.skuCounters().map(\.overCapacity) == [0, 0, 1])
        #expect(try await floor.halfDone().isEmpty)
        #expect(try await floor.store.undo([order]) == [.stands])
        #expect(try await floor.store.cancel([order.orders[0]]) == [.cancelled])
        #expect(try await floor.reserved() == [0, 0, 2])
        #expect(try await floor.store.skuCounters().map(\.overCapacity) == [0, 0, 0])
        #expect(Set(try await floor.pending()) == Set(order.orders))
    }

    @Test(
        "the same flow with another payload is a conflict in every bucket, also with equal lines",
        arguments: StoreKind.all)
    func conflicts(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let order = try floor.order(1)
        _ = try await floor.take(order, 0)
        let alone = try floor.fixture.order(1, [(1, 2)])
        #expect(alone.lines == order.orders[0].lines)
        #expect(
            try await floor.fixture.settle(floor.epochs[alone.bucket]!, 2, .deduct([alone])) == "settled 1:conflict")
        let other = try floor.order(1, [(2, 1), (3, 1)])
        #expect(try await floor.take(other, 1) == "settled 1:conflict")
        #expect(Set(try await floor.pending()) == [alone, other.orders[1]])
        #expect(try await floor.store.cancel([alone, other.orders[0]]) == [.conflict, .conflict])
        #expect(try await floor.fixture.pay(other.orders[0]) == .refunded(.conflict))
        #expect(try await floor.take(order, 1, n: 2) == "settled")
        #expect(try await floor.reserved() == [2, 0, 1])
    }

    @Test(
        "a rebuilt bucket holds its groups under the whole order's digest, and forbids those undone",
        arguments: StoreKind.all)
    func folds(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let (whole, partial, undone) = (try floor.order(1), try floor.order(2), try floor.order(3))
        for group in 0...1 { _ = try await floor.take(whole, group) }
        _ = try await floor.take(partial, 1, n: 2)
        _ = try await floor.take(undone, 0, n: 2)
        _ = try await floor.store.undo([undone])
        func ledger(_ bucket: BucketNumber) async throws -> [String] {
            let claim = try await floor.store.claimEpoch(bucket: bucket, above: .none, by: "test")
            let fold = try await floor.store.fold(bucket: bucket, claim: claim)
            _ = try await floor.store.markOpened(bucket: bucket, claim: claim)
            for sku in fold.skus {
                let page = try await floor.store.ledgerPage(sku: sku.sku, after: nil, limit: 10)
                #expect(page == fold.ledger.filter { $0.sku == sku.sku })
                #expect(sku.taken == page.filter { !$0.cancelled }.reduce(0) { $0 + $1.quantity })
            }
            let digests = Set([whole, partial, undone].map(\.digest))
            #expect(fold.ledger.allSatisfy { digests.contains($0.digest) })
            return fold.ledger.map { "\($0.flow.milliseconds) \($0.quantity)\($0.cancelled ? "c" : "t")" }
        }
        #expect(try await ledger(floor.fixture.bucket) == ["1 2t", "3 2c"])
        #expect(try await ledger(floor.fixture.otherBucket) == ["1 1t", "2 1t", "3 1c"])
        // The fold contains what was pending.
        #expect(try await floor.pending().isEmpty)
    }

    @Test("a recovery's drain brings a group, and with it the order", arguments: StoreKind.all)
    func survivors(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let order = try floor.order(1)
        _ = try await floor.take(order, 0)
        let bucket = order.groups[1].bucket
        let old = floor.epochs[bucket]!
        let claim = try await floor.store.claimEpoch(bucket: bucket, above: .none, by: "test")
        // The engine's own commit comes too late.
        #expect(try await floor.take(order, 1) == "stale")
        #expect(
            try await floor.fixture.settle(old, 1, .deduct([order.orders[1]]), claim: claim, bucket: bucket)
                == "settled")
        #expect(try await floor.store.orderTotals().reserved == 1)
    }

    @Test("a duplicate brings its group once; its entry brings the movement", arguments: StoreKind.all)
    func duplicates(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let order = try floor.order(1)
        _ = try await floor.take(order, 0)
        let missing = order.orders[1]
        let id = OutboxID(epoch: floor.epochs[missing.bucket]!, n: 1)
        let result = try await floor.store.commit(CommitBatch(duplicates: [.init(order: missing, id: id)]))
        #expect(result.duplicates[0].words == "settled committed")
        #expect(try await floor.reserved() == [2, 0, 1])
        #expect(try await floor.take(order, 1) == "settled")
        #expect(try await floor.reserved() == [2, 0, 1])
    }

    @Test("a give-back that Redis answers without an entry is done", arguments: StoreKind.all)
    func endedGiveBacks(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let cancelled = try floor.fixture.order(1)
        let wide = try floor.order(2)
        _ = try await floor.store.cancel([cancelled, wide.orders[0]])
        #expect(try await floor.pending().count == 3)
        func end(_ order: Order, n: Int64) -> GiveBackEnd {
            GiveBackEnd(order: order, id: OutboxID(epoch: floor.epochs[order.bucket]!, n: n))
        }
        let told = [end(cancelled, n: 2), end(wide.orders[1], n: 0)]
        #expect(try await floor.store.endGiveBacks(told) == [told[0]])
        #expect(Set(try await floor.pending()) == [cancelled, wide.orders[0]])
        // A take that is contained in Redis's word; then one that is not.
        let epoch = floor.epochs[cancelled.bucket]!
        _ = try await floor.fixture.settle(epoch, 1, .deduct([cancelled]))
        _ = try await floor.fixture.settle(epoch, 2, .mark)
        #expect(try await floor.store.endGiveBacks(told) == [])
        #expect(try await floor.pending() == [wide.orders[0]])
        _ = try await floor.fixture.settle(epoch, 4, .deduct([cancelled]))
        #expect(Set(try await floor.pending()) == [cancelled, wide.orders[0]])
    }

    @Test("Redis's word about a give-back waits for the release that made it true", arguments: StoreKind.all)
    func anEarlyWordLeavesNobodysUnits(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let order = try floor.fixture.order(1)
        let epoch = floor.epochs[order.bucket]!
        func excess() async throws -> Int64 {
            try await floor.store.balance(bucket: order.bucket)!.skus.reduce(0) { $0 + max(0, $1.excess) }
        }
        _ = try await floor.fixture.settle(epoch, 1, .deduct([order]))
        _ = try await floor.store.cancel([order])
        // Somebody else's release is entry 2, which SQL has not met; a second one hears that it was done.
        let word = GiveBackEnd(order: order, id: OutboxID(epoch: epoch, n: 2))
        #expect(try await floor.store.endGiveBacks([word]) == [word])
        #expect(try await floor.pending() == [order])
        #expect(try await excess() == 0)
        _ = try await floor.fixture.settle(epoch, 2, .release(givenBack: [order], tombstones: []))
        #expect(try await floor.store.endGiveBacks([word]) == [])
        #expect(try await floor.pending() == [])
        #expect(try await excess() == 0)
        // A word from an ended epoch says nothing.
        let old = GiveBackEnd(order: order, id: OutboxID(epoch: Epoch(rawValue: epoch.rawValue - 1), n: 9))
        #expect(try await floor.store.endGiveBacks([old]) == [])
    }

    @Test("a give-back keeps the id of the entry that did it, whatever Redis says later", arguments: StoreKind.all)
    func giveBackKeepsItsEntry(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let order = try floor.fixture.order(1)
        let epoch = floor.epochs[order.bucket]!
        _ = try await floor.fixture.settle(epoch, 1, .deduct([order]))
        _ = try await floor.store.cancel([order])
        _ = try await floor.fixture.settle(epoch, 2, .release(givenBack: [order], tombstones: []))
        _ = try await floor.fixture.settle(epoch, 3, .mark)
        let end = GiveBackEnd(order: order, id: OutboxID(epoch: epoch, n: 3))
        #expect(try await floor.store.endGiveBacks([end]) == [])
        // What was taken after the entry that gave back is asked for, though Redis's later word came before it.
        _ = try await floor.fixture.settle(epoch, 4, .deduct([order]))
        #expect(try await floor.pending() == [order])
    }

    @Test("what buckets said is worth nothing once one was rebuilt: the undoing waits", arguments: StoreKind.all)
    func undoingRestsOnEpochs(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let order = try floor.order(1)
        #expect(try await floor.take(order, 0) == "settled 1:partial")
        let missing = order.orders[1].bucket
        let present = floor.epochs[missing]!
        let older = [missing: Epoch(rawValue: present.rawValue - 1)]
        #expect(try await floor.store.undo([order], forbidden: older) == [.moved])
        #expect(try await floor.store.orderTotals().cancelled == 0)
        #expect(try await floor.store.undo([order], forbidden: [missing: present]) == [.undone])
    }

    @Test("beyond capacity and not whole it does not stand: it could never be taken in", arguments: StoreKind.all)
    func beyondCapacityAndNotWhole(kind: StoreKind) async throws {
        let floor = try await Floor(kind, durability: .memory, units: 2)
        let order = try floor.order(1, [(1, 1), (3, 1)])
        let filler = try floor.fixture.order(2, sku: 3, quantity: 2)
        _ = try await floor.fixture.settle(
            floor.epochs[filler.bucket]!, 1, .deduct([filler]), bucket: filler.bucket)
        #expect(try await floor.take(order, 1, n: 2) == "settled 1:overCapacity")
        #expect(try await floor.store.undo([order]) == [.undone])
        #expect(try await floor.reserved() == [0, 0, 2])
        #expect(try await floor.store.skuCounters().map(\.overCapacity) == [0, 0, 0])
        #expect(Set(try await floor.pending()) == Set(order.orders))
    }

    @Test("a group of SKUs that a bucket does not have is a dead letter, and blocks nothing", arguments: StoreKind.all)
    func flaws(kind: StoreKind) async throws {
        let floor = try await Floor(kind)
        let bad = try #require(
            WideOrder(
                trustedFlow: Fixture.flow(1),
                sortedGroups: [
                    .init(bucket: floor.fixture.bucket, lines: [.init(sku: .init(rawValue: 1), quantity: 1)]),
                    .init(bucket: floor.fixture.otherBucket, lines: [.init(sku: .init(rawValue: 99), quantity: 1)]),
                ]))
        #expect(try await floor.take(bad, 0) == "settled 1:conflict")
        #expect(try await floor.store.orderTotals().deadLetters == 1)
        #expect(try await floor.fixture.drained(1).hasSuffix("-1"))
        await #expect(throws: OrderStoreError.self) { try await floor.store.undo([bad]) }
        #expect(try await floor.store.orderTotals().cancelled == 0)
    }
}

extension OrderStore {
    /// Undoes what rests on no bucket's word.
    func undo(_ orders: [WideOrder]) async throws -> [UndoResult] { try await undo(orders, forbidden: [:]) }
}
