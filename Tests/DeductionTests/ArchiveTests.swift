import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

/// Settled orders leave Redis's ledgers; every answer stays what it was.
@Suite("Archiving ledgers", .timeLimit(.minutes(5)))
struct ArchiveTests {
    /// Flows of long ago, so that a watermark can pass them while the test's own flows are young.
    private static let longAgo: UInt64 = 1_600_000_000_000

    private static func old(_ number: UInt64) -> FlowID {
        FlowID(high: (longAgo + number) << 16 | 0x7000, low: 1 << 63 | number)
    }

    private func pay(_ rig: SaleRig, _ orders: [Order], succeeded: Bool = true) async throws -> [PaymentResult] {
        try await rig.store.commit(
            CommitBatch(payments: orders.map { Payment(order: $0, succeeded: succeeded) })
        ).payments
    }

    /// Archives everything older than a minute.
    private func archive(_ rig: SaleRig) async throws -> Archiver.Status {
        let archiver = rig.archiver {
            $0.horizon = .seconds(60)
            $0.ordersMax = 3
            $0.passedMax = 5
        }
        await archiver.turn()
        #expect(archiver.status.lastError == nil)
        return archiver.status
    }

    private func fields(_ rig: SaleRig, _ position: Int = 0) async throws -> Int64 {
        try await rig.redis("HLEN", rig.keys.ledgers[position]).int! - 1
    }

    @Test(
        "retries hear their own old answer from SQL; what is open stays and can be given back",
        arguments: Durability.anywhere)
    func answers(durability: Durability) async throws {
        try await SaleRig.with(units: [20, 20], durability: durability) { rig async throws in
            let engine = try await rig.makeEngine()
            try await SaleRig.running([{ await engine.run() }]) {
                let sold = (1...8).map { rig.order([(1, 1), (2, 1)], flow: Self.old($0)) }
                let open = rig.order([(1, 2)], flow: Self.old(20))
                let cancelled = rig.order([(1, 3)], flow: Self.old(21))
                let forbidden = rig.order([(2, 1)], flow: Self.old(22))
                for order in sold + [open, cancelled] { #expect(await engine.deduct(order) == .done(duplicate: false)) }
                try await rig.drain()
                #expect(await engine.cancel(cancelled) == .cancelled)
                #expect(await engine.cancel(forbidden) == .cancelled)
                #expect(try await pay(rig, sold).allSatisfy { $0 == .confirmed })
                // A young flow: without one the bucket's newest is old, and nothing counts as past.
                #expect(await engine.deduct(rig.order()) == .done(duplicate: false))
                try await rig.drain()
                let stocks = [try await rig.stock(1), try await rig.stock(2)]
                #expect([try await fields(rig), try await fields(rig, 1)] == [11, 9])

                let field = Self.old(3).bytes
                let value = try await rig.redis("HGET", [rig.keys.ledgers[0], field]).bytes!
                let status = try await archive(rig)
                #expect(status.archivedOrders == 10 && status.removedFields == 18 && status.steps >= 4)
                #expect([try await fields(rig), try await fields(rig, 1)] == [2, 0])
                #expect([try await rig.stock(1), try await rig.stock(2)] == stocks)
                #expect(await rig.compare(ledgers: true).findings.isEmpty)
                // A replica that had not heard of it took over: the field is there again, and says nothing new.
                try await rig.redis("HSET", [rig.keys.ledgers[0], field, value])
                #expect(await rig.compare(ledgers: true).findings.isEmpty)
                try await rig.redis("HDEL", [rig.keys.ledgers[0], field])

                for order in sold { #expect(await engine.deduct(order) == .done(duplicate: true)) }
                #expect(await engine.deduct(open) == .done(duplicate: true))
                #expect(await engine.deduct(cancelled) == .refused(.cancelled))
                #expect(await engine.deduct(forbidden, isRetry: true) == .refused(.cancelled))
                #expect(await engine.deduct(rig.order([(1, 9)], flow: Self.old(1))) == .refused(.conflict))
                #expect(
                    await engine.deduct(rig.order([(1, 1)], flow: Self.old(90)), isRetry: true) == .refused(.tooOld))
                #expect([try await rig.stock(1), try await rig.stock(2)] == stocks)

                // The open one is given back, and leaves no tombstone; nor does a flow that is forbidden only now.
                #expect(await engine.cancel(open) == .cancelled)
                #expect(await engine.cancel(rig.order([(1, 1)], flow: Self.old(91))) == .cancelled)
                #expect(await engine.deduct(open) == .refused(.cancelled))
                try await rig.drain()
                #expect(try await rig.stock() == stocks[0]! + 2)
                #expect(try await fields(rig) == 1)
                #expect(try await rig.store.orderTotals().pendingGiveBacks == 0)
                #expect(await rig.compare(ledgers: true).findings.isEmpty)
                #expect(try await archive(rig).archivedOrders == 2)
                #expect(try await archive(rig).archivedOrders == 0)
            }
        }
    }

    @Test("a recovery brings the watermark back, and only what is not archived")
    func recovery() async throws {
        try await SaleRig.with(units: [50]) { rig async throws in
            let orders = (1...10).map { rig.order([(1, 1)], flow: Self.old($0)) }
            #expect(try await rig.deduct(orders + [rig.order()]) == "1 DDDDDDDDDDD")
            try await rig.drain()
            _ = try await pay(rig, Array(orders[..<7]))
            #expect(try await archive(rig).archivedOrders == 7)
            try await rig.redis("FLUSHALL", [])
            #expect(try await rig.recover().ledgerEntries == 4)
            #expect(try await rig.stock() == 39)
            #expect(try await rig.deduct(orders + [rig.order([(1, 1)], flow: Self.old(99))]) == "0 OOOOOOOdddO")
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("an archiver of an older epoch, or after a rollback, takes nothing out")
    func fenced() async throws {
        try await SaleRig.with(units: [50]) { rig async throws in
            let order = rig.order([(1, 1)], flow: Self.old(1))
            #expect(try await rig.deduct([order, rig.order()]) == "1 DD")
            try await rig.drain()
            let some = [ArchivableOrder(flow: order.flow, skus: [SKUNumber(rawValue: 1)])]
            let watermark = FlowID.earliest(atMilliseconds: Self.longAgo + 50)
            let epoch = try await rig.record.epoch
            for other in [epoch.rawValue - 1, epoch.rawValue + 1] {
                let answer = try await rig.archive(some, below: watermark, epoch: Epoch(rawValue: other))
                #expect(SaleRig.words(answer) == "fenced epoch")
            }
            #expect(try await rig.redis("HGET", rig.keys.control, "watermark").string == "")
            // A flow at or above the watermark stays, whoever names it.
            let low = FlowID.earliest(atMilliseconds: Self.longAgo + 1)
            #expect(SaleRig.words(try await rig.archive(some, below: low, epoch: epoch)) == "1 R")
            #expect(try await rig.deduct([order]) == "1 d")
            #expect(SaleRig.words(try await rig.archive(some, below: watermark, epoch: epoch)) == "1 R")
            #expect(try await rig.deduct([order]) == "1 O")
            // A watermark never falls.
            #expect(SaleRig.words(try await rig.archive([], below: low, epoch: epoch)) == "1 R")
            #expect(try await rig.deduct([order]) == "1 O")
        }
    }

    @Test("an archiver that died after SQL's step is caught up with: nothing is stuck, nothing taken again")
    func interrupted() async throws {
        try await SaleRig.with(units: [50]) { rig async throws in
            let orders = (1...6).map { rig.order([(1, 1)], flow: Self.old($0)) }
            #expect(try await rig.deduct(orders + [rig.order()]) == "1 DDDDDDD")
            try await rig.drain()
            _ = try await pay(rig, orders)
            // SQL's watermark is up, Redis has not heard of it: retries are still answered there.
            _ = try await rig.store.raiseWatermark(
                bucket: rig.bucket.number, horizon: .seconds(60), ordersMax: 1_000)
            #expect(try await rig.deduct([orders[0]]) == "1 d")
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
            // The fields went, SQL was not told.
            let some = try await rig.store.archivable(bucket: rig.bucket.number, after: nil, limit: 2)
            let watermark = try #require(try await rig.record.watermark)
            _ = try await rig.archive(some, below: watermark, epoch: try await rig.record.epoch)
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
            #expect(try await archive(rig).archivedOrders == 6)
            #expect(try await fields(rig) == 1)
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    /// Flows that the first bucket's ledgers name, and the newest of them.
    private func flows(_ rig: SaleRig) async throws -> (all: [FlowID], newest: UInt64) {
        var all: [FlowID] = []
        for ledger in rig.keys.ledgers {
            all += try await rig.redis("HKEYS", ledger).array?.compactMap { FlowID(bytes: $0.bytes ?? []) } ?? []
        }
        return (all, all.map(\.milliseconds).max() ?? 0)
    }

    /// Eight buyers, round after round; a round is 10 ms of the flows' own time, whatever it takes. So no order that is under way is
    /// ever older than the horizon, however slow the machine.
    private func sell(_ rig: SaleRig, _ engine: DeductionEngine) async {
        var placed: [(order: Order, isPaid: Bool)] = []
        var round: UInt64 = 0
        while !Task.isCancelled {
            round += 1
            let orders = (0..<8).map { buyer in
                rig.order(
                    buyer % 2 == 0 ? [(1, 1)] : [(1, 1), (2, 2)],
                    flow: FlowID(
                        high: (Self.longAgo + 10 * round) << 16 | 0x7000, low: 1 << 63 | round << 8 | UInt64(buyer)))
            }
            await withDiscardingTaskGroup { buyers in
                for (buyer, order) in orders.enumerated() {
                    let isPaid = (round + UInt64(buyer)) % 4 != 0
                    buyers.addTask {
                        let outcome = await engine.deduct(order)
                        #expect(outcome == .done(duplicate: false), "\(outcome): \(engine.laneStatuses)")
                        #expect(await engine.record([Payment(order: order, succeeded: isPaid)]) != nil)
                        if !isPaid { _ = await engine.cancel(order) }
                    }
                    placed.append((order, isPaid))
                }
                // Young or archived long ago, the answer is the same.
                if round > 1, let again = placed.dropLast(8).randomElement() {
                    let expected: DeductionOutcome = again.isPaid ? .done(duplicate: true) : .refused(.cancelled)
                    buyers.addTask { #expect(await engine.deduct(again.order) == expected) }
                }
            }
        }
    }

    @Test("the ledger stays small while a sale goes on, and the books agree all the time")
    func whileSelling() async throws {
        let horizonMilliseconds: UInt64 = 300
        try await SaleRig.with(units: [1_000_000, 1_000_000], buckets: 1) { rig async throws in
            let engine = try await rig.makeEngine()
            let archiver = rig.archiver {
                $0.horizon = .milliseconds(Int64(horizonMilliseconds))
                $0.interval = .milliseconds(50)
                $0.ordersMax = 64
            }
            try await SaleRig.running([{ await engine.run() }, { await archiver.run() }]) {
                try await SaleRig.running([{ await sell(rig, engine) }]) {
                    try await eventually("much is archived", within: .seconds(60)) {
                        archiver.status.archivedOrders > 1_000
                    }
                    for _ in 0..<3 {
                        let comparison = await rig.compare(ledgers: true)
                        #expect(comparison.drifts.map(\.sentence) == [] && comparison.unread.isEmpty)
                    }
                }
                try await eventually("only the youngest stay", within: .seconds(60)) {
                    let (all, newest) = try await flows(rig)
                    return all.allSatisfy { $0.milliseconds + horizonMilliseconds >= newest }
                }
            }
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
            let counters = try await rig.counters()
            #expect(try await rig.stock() == counters.allocated - counters.sold - counters.reserved)
        }
    }
}
