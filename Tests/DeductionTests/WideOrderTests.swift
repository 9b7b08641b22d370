import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Telemetry
import Testing

@testable import Deduction

extension SaleRig {
    /// An order wherever its SKUs lie. SKUs are dealt out to buckets in turn: of two buckets the first has 1, 3, …
    func across(_ lines: [(Int32, Int32)], flow: FlowID? = nil) -> Order {
        do {
            return try Order.across(
                flow: flow ?? self.flow(),
                lines: lines.map { OrderLine(sku: SKUNumber(rawValue: $0.0), quantity: $0.1) }, catalogue: catalogue)
        } catch {
            preconditionFailure("a test's order is refused: \(error)")
        }
    }

    /// Units left, by SKU.
    func stocks() async throws -> [Int64] {
        var stocks: [Int64] = []
        for entry in catalogue.entries {
            let keys = BucketKeys(bucket: catalogue[entry.bucket]!, catalogue: catalogue)
            var command = RedisCommand("GET")
            command.append(keys.stocks[keys.position(of: entry.number)!])
            stocks.append(try await cluster.call(slot: keys.slot, command, deadline: soon).int ?? -1)
        }
        return stocks
    }

    /// Settles what the outboxes of `buckets` hold beyond SQL; all of them unless told.
    func drainAll(_ buckets: [BucketNumber]? = nil) async throws {
        for record in try await store.buckets() where buckets?.contains(record.bucket) != false {
            let keys = BucketKeys(bucket: catalogue[record.bucket]!, catalogue: catalogue)
            let command = OutboxEntry.readCommand(
                keys: keys, after: record.drainedThrough, sameEpoch: true, limit: 1_000_000)
            let reply = try await cluster.call(slot: keys.slot, command, deadline: soon)
            let entries = OutboxEntry.read(reply, bucket: record.bucket)
            if !entries.isEmpty { _ = try await store.commit(CommitBatch(entries: entries.map(\.settlement))) }
        }
    }

    /// Takes one group by hand, as an engine that then dies.
    func takeGroup(_ group: Order) async throws -> String {
        let bucket = catalogue[group.bucket]!
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        let epoch = try await store.buckets().first { $0.bucket == group.bucket }!.epoch
        var call = ScriptCall(keyCount: 2 + 2 * bucket.skus.count)
        call.append(keys.control)
        call.append(keys.outbox)
        for position in keys.stocks.indices {
            call.append(keys, at: position)
        }
        call.append(epoch.rawValue)
        call.append(Int64(0))
        call.append(OutboxBlob(milliseconds: WallClock.milliseconds, payload: .deduct([group])).bytes)
        for sku in bucket.skus { call.append(Int64(sku.rawValue)) }
        let answer = ScriptAnswer(
            try await cluster.evaluate(scripts.deduct, call, slot: keys.slot, deadline: soon))
        return String(Self.words(answer).split(separator: " ").last!)
    }

    func finder(age: Duration = .zero) -> HalfDoneFinder {
        var configuration = HalfDoneFinder.Configuration()
        configuration.age = age
        configuration.interval = .milliseconds(2)
        return HalfDoneFinder(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, configuration: configuration)
    }

    func giveBackWorker(_ engine: DeductionEngine) -> GiveBackWorker {
        GiveBackWorker(
            engine: engine, store: store,
            acts: BucketActs(catalogue: catalogue, cluster: cluster, scripts: scripts, store: store))
    }

    /// Both books say the same of every unit, and nothing is under way.
    func expectSettled(_ comment: Comment? = nil, source: SourceLocation = #_sourceLocation) async throws {
        try await drainAll()
        let totals = try await store.orderTotals()
        #expect(totals.partial == 0 && totals.pendingGiveBacks == 0, comment, sourceLocation: source)
        #expect(totals.deadLetters == 0 && totals.overCapacity == 0, comment, sourceLocation: source)
        let stocks = try await stocks()
        for (counters, stock) in zip(try await store.skuCounters(), stocks) {
            #expect(
                counters.allocated - counters.sold - counters.reserved == stock, "\(counters)", sourceLocation: source)
        }
        let sentences = await compare(ledgers: true).findings.map(\.sentence)
        #expect(sentences == [], comment, sourceLocation: source)
    }
}

/// Orders over several buckets, on a real server and a real file.
@Suite("An order over several buckets", .timeLimit(.minutes(5)))
struct WideOrderTests {
    func withEngine(
        units: [Int64], buckets: Int = 2, durability: Durability = .durable,
        _ body: (SaleRig, DeductionEngine) async throws -> Void
    ) async throws {
        try await SaleRig.with(units: units, buckets: buckets, durability: durability) { rig async throws in
            let engine = try await rig.makeEngine()
            let worker = rig.giveBackWorker(engine)
            try await SaleRig.running([{ await engine.run() }, { await worker.run(interval: .milliseconds(2)) }]) {
                try await body(rig, engine)
            }
        }
    }

    func noGiveBacks(_ rig: SaleRig) async throws {
        try await eventually("nothing is given back any more") {
            try await rig.drainAll()
            return try await rig.store.pendingGiveBacks(limit: 1).isEmpty
        }
    }

    @Test("takes from every bucket, is one order, and hears its own yes again", arguments: Durability.anywhere)
    func yes(durability: Durability) async throws {
        try await withEngine(units: [10, 10, 10], buckets: 3, durability: durability) { rig, engine async throws in
            let order = rig.across([(1, 2), (2, 3), (3, 1)])
            #expect(order.groups.count == 3)
            #expect(await engine.deduct(order) == .done(duplicate: false))
            #expect(try await rig.stocks() == [8, 7, 9])
            for group in order.groups { #expect(await engine.deduct(group, isRetry: true) == .done(duplicate: true)) }
            let totals = engine.meter.snapshot
            #expect(totals.acknowledged == 4 && totals.refused.isEmpty && totals.unknown == 0)
            try await rig.expectSettled()
            #expect(try await rig.store.orderTotals().reserved == 1)
            #expect(await engine.record([Payment(order: order.groups[1], succeeded: true)]) == [.confirmed])
            #expect(try await rig.store.skuCounters().map(\.sold) == [2, 3, 1])
            #expect(await engine.cancel(order) == .sold)
            try await rig.expectSettled()
        }
    }

    @Test("refused in one bucket it takes nothing from the others, and stays refused", arguments: Durability.anywhere)
    func oneShort(durability: Durability) async throws {
        try await withEngine(units: [10, 1], durability: durability) { rig, engine async throws in
            let order = rig.across([(1, 2), (2, 2)])
            #expect(await engine.deduct(order) == .refused(.soldOut))
            try await eventually("its units are back") { try await rig.stocks() == [10, 1] }
            // A restock does not turn a final no into a yes.
            _ = try await rig.store.restock(SKUNumber(rawValue: 2), units: 5)
            try await eventually("the restock came") { try await rig.stocks() == [10, 6] }
            #expect(await engine.deduct(order) == .refused(.cancelled))
            #expect(await engine.deduct(order, isRetry: true) == .refused(.cancelled))
            try await noGiveBacks(rig)
            try await rig.expectSettled()
            #expect(try await rig.store.orderTotals().cancelled == 1)
        }
    }

    @Test("refused everywhere it costs SQL nothing", arguments: Durability.anywhere)
    func allShort(durability: Durability) async throws {
        try await withEngine(units: [1, 1], durability: durability) { rig, engine async throws in
            #expect(await engine.deduct(rig.across([(1, 2), (2, 2)])) == .refused(.soldOut))
            try await rig.expectSettled()
            #expect(try await rig.store.orderTotals().cancelled == 0)
        }
    }

    @Test("a cancellation forbids it everywhere or gives all of it back, once", arguments: Durability.anywhere)
    func cancelling(durability: Durability) async throws {
        try await withEngine(units: [10, 10], durability: durability) { rig, engine async throws in
            let early = rig.across([(1, 1), (2, 1)])
            #expect(await engine.cancel(early) == .cancelled)
            #expect(await engine.deduct(early) == .refused(.cancelled))
            let late = rig.across([(1, 3), (2, 4)])
            #expect(await engine.deduct(late) == .done(duplicate: false))
            for _ in 0..<3 { #expect(await engine.cancel(late) == .cancelled) }
            #expect(await engine.deduct(late) == .refused(.cancelled))
            try await noGiveBacks(rig)
            #expect(try await rig.stocks() == [10, 10])
            try await rig.expectSettled()
        }
    }

    @Test("a payment that fails gives every group back")
    func failedPayment() async throws {
        try await withEngine(units: [10, 10]) { rig, engine async throws in
            let order = rig.across([(1, 3), (2, 4)])
            #expect(await engine.deduct(order) == .done(duplicate: false))
            #expect(await engine.record([Payment(order: order, succeeded: false)]) == [.cancelled])
            try await noGiveBacks(rig)
            #expect(try await rig.stocks() == [10, 10])
            try await rig.expectSettled()
        }
    }

    @Test("the same flow with another payload is a conflict before the yes, in whichever bucket it meets the order")
    func conflicts() async throws {
        try await withEngine(units: [10, 10, 10], buckets: 3) { rig, engine async throws in
            let wide = rig.across([(1, 2), (2, 3)])
            #expect(await engine.deduct(wide) == .done(duplicate: false))
            for other in [
                rig.across([(1, 2)], flow: wide.flow), rig.across([(3, 1)], flow: wide.flow),
                rig.across([(2, 3), (3, 1)], flow: wide.flow), rig.across([(1, 2), (2, 2)], flow: wide.flow),
                rig.across([(1, 2), (2, 3), (3, 1)], flow: wide.flow),
            ] {
                #expect(await engine.deduct(other) == .refused(.conflict), "\(other.allLines)")
                #expect(await engine.cancel(other) == .conflict)
            }
            let plain = rig.across([(1, 1)])
            #expect(await engine.deduct(plain) == .done(duplicate: false))
            #expect(await engine.deduct(rig.across([(1, 1), (2, 1)], flow: plain.flow)) == .refused(.conflict))
            #expect(await engine.deduct(rig.across([(2, 1), (3, 1)], flow: plain.flow)) == .refused(.conflict))
            #expect(await engine.deduct(wide) == .done(duplicate: true))
            try await noGiveBacks(rig)
            #expect(try await rig.stocks() == [7, 7, 10])
            try await rig.expectSettled()
        }
    }

    @Test(
        "below durable SQL decides between two orders of one flow afterwards: one stands whole, nothing is lost or left"
    )
    func conflictsBelowDurable() async throws {
        try await withEngine(units: [10, 10, 10], buckets: 3, durability: .memory) { rig, engine async throws in
            var flows: [FlowID] = []
            for (first, second) in [
                ([(1, 2)], [(2, 3)]), ([(1, 1), (2, 1)], [(3, 1)]), ([(1, 1), (2, 1)], [(2, 1), (3, 1)]),
            ] as [([(Int32, Int32)], [(Int32, Int32)])] {
                let order = rig.across(first)
                flows.append(order.flow)
                #expect(await engine.deduct(order) == .done(duplicate: false))
                _ = await engine.deduct(rig.across(second, flow: order.flow))
            }
            let finder = rig.finder()
            try await eventually("SQL has decided") {
                try await rig.drainAll()
                _ = try await finder.look()
                let totals = try await rig.store.orderTotals()
                return totals.partial == 0 && totals.pendingGiveBacks == 0
            }
            try await rig.expectSettled()
        }
    }

    // MARK: Half done

    @Test("half done and absent elsewhere, it is forbidden there and undone", arguments: Durability.anywhere)
    func undone(durability: Durability) async throws {
        try await withEngine(units: [10, 10], durability: durability) { rig, engine async throws in
            let order = rig.across([(1, 2), (2, 3)])
            #expect(try await rig.takeGroup(order.groups[0]) == "D")
            try await rig.drainAll()
            #expect(try await rig.store.skuCounters().map(\.reserved) == [2, 0])
            #expect(await rig.compare(ledgers: true).driftUnits == 0)
            let finder = rig.finder()
            #expect(try await finder.look() == 0)
            #expect(finder.status.undone == 1 && finder.status.finished == 0 && finder.lag.summary.count == 1)
            // The engine was only late.
            #expect(try await rig.takeGroup(order.groups[1]) == "X")
            #expect(await engine.deduct(order, isRetry: true) == .refused(.cancelled))
            try await noGiveBacks(rig)
            #expect(try await rig.stocks() == [10, 10])
            try await rig.expectSettled()
        }
    }

    @Test("taken everywhere, and in SQL only in part, it is finished", arguments: Durability.anywhere)
    func finished(durability: Durability) async throws {
        try await withEngine(units: [10, 10], durability: durability) { rig, engine async throws in
            let order = rig.across([(1, 2), (2, 3)])
            for group in order.groups { #expect(try await rig.takeGroup(group) == "D") }
            try await rig.drainAll([order.groups[1].bucket])
            let finder = rig.finder()
            #expect(try await finder.look() == 0)
            #expect(finder.status.finished == 1 && finder.status.undone == 0)
            #expect(try await rig.store.orderTotals().reserved == 1)
            #expect(await engine.deduct(order, isRetry: true) == .done(duplicate: true))
            try await rig.expectSettled()
            #expect(try await rig.stocks() == [8, 7])
        }
    }

    @Test("with a bucket fenced it waits, and what the recovery finds decides", arguments: [true, false])
    func fenced(isTaken: Bool) async throws {
        try await withEngine(units: [10, 10]) { rig, engine async throws in
            let order = rig.across([(1, 2), (2, 3)])
            let missing = order.groups[1]
            #expect(try await rig.takeGroup(order.groups[0]) == "D")
            if isTaken { #expect(try await rig.takeGroup(missing) == "D") }
            try await rig.drainAll([order.groups[0].bucket])
            _ = try await rig.store.claimEpoch(bucket: missing.bucket, above: .none, by: "test")
            let finder = rig.finder()
            for _ in 0..<3 { #expect(try await finder.look() == 1) }
            #expect(finder.status.waiting == 1 && finder.status.undone == 0)
            _ = try await rig.recoverer.recover(missing.bucket)
            #expect(try await finder.look() == 0)
            #expect(try await rig.store.orderTotals().reserved == (isTaken ? 1 : 0))
            try await noGiveBacks(rig)
            #expect(try await rig.stocks() == (isTaken ? [8, 7] : [10, 10]))
            try await rig.expectSettled()
            _ = engine
        }
    }

    @Test("an epoch that ends between two groups does not lose the yes")
    func epochEnds() async throws {
        try await withEngine(units: [10, 10]) { rig, engine async throws in
            let order = rig.across([(1, 2), (2, 3)])
            let bucket = order.groups[1].bucket
            _ = try await rig.store.claimEpoch(bucket: bucket, above: .none, by: "test")
            async let outcome = engine.deduct(order)
            try await eventually("one group is in SQL, the other in Redis") {
                let stocks = try await rig.stocks()
                return try await rig.store.orderTotals().partial == 1 && stocks == [8, 7]
            }
            _ = try await rig.recoverer.recover(bucket)
            #expect(await outcome == .done(duplicate: true))
            try await rig.expectSettled()
        }
    }

    @Test("finders that race, engines that are late and workers that drain come to one end, whatever was taken")
    func races() async throws {
        try await SaleRig.with(units: [400, 400, 400], buckets: 3, durability: .memory) { rig async throws in
            var random = SystemRandomNumberGenerator()
            var orders: [(order: Order, late: [Order])] = []
            for _ in 0..<120 {
                let order = rig.across(
                    [(1, 1), (2, 2), (3, 1)].shuffled(using: &random).prefix(Int.random(in: 2...3, using: &random))
                        .map { $0 })
                let groups = order.groups.shuffled(using: &random)
                let early = Int.random(in: 1...groups.count, using: &random)
                for group in groups.prefix(early) { #expect(try await rig.takeGroup(group) == "D") }
                orders.append((order, Array(groups.dropFirst(early))))
                if Int.random(in: 0..<3, using: &random) == 0 { try await rig.drainAll([groups[0].bucket]) }
            }
            let engine = try await rig.makeEngine()
            let giveBacks = rig.giveBackWorker(engine)
            let (one, two) = (rig.finder(), rig.finder())
            let late = orders.flatMap(\.late)
            try await SaleRig.running([
                { await engine.run() }, { await giveBacks.run(interval: .milliseconds(2)) }, { await one.run() },
                { await two.run() }, { for group in late { _ = try? await rig.takeGroup(group) } },
            ]) {
                for _ in 0..<3 {
                    try await eventually("every order is whole or gone") {
                        try await rig.drainAll()
                        let totals = try await rig.store.orderTotals()
                        return totals.partial == 0 && totals.pendingGiveBacks == 0
                    }
                }
            }
            try await rig.expectSettled()
            let totals = try await rig.store.orderTotals()
            #expect(totals.reserved + totals.cancelled == 120 && totals.void == 0)
            #expect(Int(totals.reserved) >= orders.count { $0.late.isEmpty })
        }
    }

    @Test("left half done it is a drift with a repair, which waits for a bucket that is fenced")
    func drift() async throws {
        try await withEngine(units: [10, 10]) { rig, _ async throws in
            let order = rig.across([(1, 2), (2, 3)])
            #expect(try await rig.takeGroup(order.groups[1]) == "D")
            try await rig.drainAll()
            var configuration = Reconciler.Configuration()
            // Young, it is on its way.
            let calm = await rig.compare(ledgers: true)
            #expect(calm.findings.isEmpty)
            configuration.halfDonePatience = .zero
            let reconciler = Reconciler(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store,
                configuration: configuration)
            let (first, second) = (await reconciler.compare(), await reconciler.compare())
            #expect(first.findings.map(\.kind) == [.halfDone] && first.driftUnits == 3)
            let plan = RepairPlan(agreeing: first, second, catalogue: rig.catalogue)
            #expect(plan.repairs.map(\.flows) == [[order.flow]])
            _ = try await rig.store.claimEpoch(bucket: order.groups[0].bucket, above: .none, by: "test")
            let failed = await rig.apply(plan)
            #expect(failed.repairs.map(\.state) == [.failed])
            _ = try await rig.recoverer.recover(order.groups[0].bucket)
            for _ in 0..<2 {
                let applied = await rig.apply(plan)
                #expect(applied.repairs.map(\.state) == [.applied])
            }
            try await noGiveBacks(rig)
            try await rig.expectSettled()
            #expect(await reconciler.compare().findings.isEmpty)
        }
    }

    // MARK: What SQL asks and Redis cannot give

    @Test("a cancelled flow under which Redis holds another order is asked for once, not for ever")
    func otherOrder() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let order = rig.order(1, 2)
            #expect(try await rig.deduct([order]) == "1 D")
            // Cancelled by a caller who remembers other lines, before SQL has heard of the order.
            let other = rig.order([(1, 3)], flow: order.flow)
            #expect(try await rig.store.cancel([other]) == [.cancelled])
            let engine = try await rig.makeEngine()
            let worker = rig.giveBackWorker(engine)
            try await SaleRig.running([{ await engine.run() }, { await worker.run(interval: .milliseconds(2)) }]) {
                try await eventually("both are ended") {
                    try await rig.drainAll()
                    let stocks = try await rig.stocks()
                    return try await rig.store.pendingGiveBacks(limit: 10).isEmpty && stocks == [10]
                }
            }
            #expect(try await rig.counters().reserved == 0)
        }
    }
}

@Suite("What groups' answers make of the whole") struct WideVerdictTests {
    static let refusedSoldOut = TicketAnswer.deduction(.refused(.soldOut))
    static let yes = TicketAnswer.deduction(.done(duplicate: false))
    static let again = TicketAnswer.deduction(.done(duplicate: true))
    static let lost = TicketAnswer.deduction(.unknown(.replyLost))

    @Test(
        arguments: [
            ([yes, yes], .done(duplicate: false), .done(duplicate: false)),
            ([again, again], .done(duplicate: true), .done(duplicate: true)),
            ([again, yes], .done(duplicate: false), .done(duplicate: false)),
            ([.groupRecorded, yes], .done(duplicate: false), .unknown(.storeFailed)),
            ([yes, lost], .done(duplicate: false), .unknown(.replyLost)),
            ([.groupRecorded, lost], .unknown(.replyLost), .unknown(.replyLost)),
            ([.groupRecorded, .groupRecorded], .unknown(.storeFailed), .unknown(.storeFailed)),
            ([.groupRecorded, refusedSoldOut], .undo(.soldOut), .undo(.soldOut)),
            ([lost, refusedSoldOut], .undo(.soldOut), .undo(.soldOut)),
            ([refusedSoldOut, refusedSoldOut], .refused(.soldOut), .refused(.soldOut)),
            ([refusedSoldOut, .deduction(.refused(.conflict))], .refused(.conflict), .refused(.conflict)),
            ([.deduction(.refused(.fenced)), refusedSoldOut], .refused(.soldOut), .refused(.soldOut)),
        ] as [([TicketAnswer], WideVerdict, WideVerdict)])
    func verdicts(answers: [TicketAnswer], durable: WideVerdict, below: WideVerdict) {
        #expect(WideVerdict(answers, storeDecides: true) == durable)
        #expect(WideVerdict(answers, storeDecides: false) == below)
    }

    @Test("every refusal is told", arguments: Refusal.allCases)
    func everyRefusal(refusal: Refusal) {
        #expect(
            WideVerdict([.deduction(.refused(refusal)), Self.lost], storeDecides: true) == .undo(refusal))
    }

    @Test("a half-done order is finished if all is taken, undone if some can never be, else it waits")
    func halfDone() throws {
        let groups = (1...3).map {
            WideOrder.Group(
                bucket: BucketNumber(rawValue: $0), lines: [OrderLine(sku: SKUNumber(rawValue: $0), quantity: 1)])
        }
        let order = try #require(WideOrder(trustedFlow: FlowID(high: 1, low: 1), sortedGroups: groups))
        let missing = Array(order.orders.dropFirst())
        func verdict(_ second: GroupAnswer?, _ third: GroupAnswer?) -> HalfDoneVerdict {
            var answers: [BucketNumber: GroupAnswer] = [:]
            answers[missing[0].bucket] = second
            answers[missing[1].bucket] = third
            return HalfDoneVerdict(missing: missing, answers: answers)
        }
        let id = OutboxID(epoch: Epoch(rawValue: 1), n: 4)
        #expect(verdict(.taken(id), .taken(id)) == .finish(missing.map { DuplicateSettlement(order: $0, id: id) }))
        #expect(verdict(.taken(id), .forbidden) == .undo)
        #expect(verdict(.another, .taken(id)) == .undo)
        #expect(verdict(.taken(id), nil) == .wait)
        #expect(verdict(nil, nil) == .wait)
        // One that can never come decides, whoever else does not answer.
        #expect(verdict(nil, .forbidden) == .undo)
        #expect(HalfDoneVerdict(missing: [], answers: [:]) == .finish([]))
    }
}
