import Deduction
import Inventory
import Lab
import Operations
import OrderStore
import Reconciliation
import SaleRig
import Telemetry
import Testing

/// How orders end in a sale that runs: by deadline, late payment, a person's choice.
@Suite("How orders end", .serialized, .timeLimit(.minutes(5)))
struct OrderEndsTests {
    /// A service at work on a rig's sale.
    private func withService(
        _ units: [Int64], durability: Durability = .durable, timeout: Duration? = nil,
        latePayments: LatePaymentPolicy = .refund, patience: Duration = .seconds(30),
        _ body: (SaleRig, SaleService) async throws -> Void
    ) async throws {
        try await SaleRig.with(
            units: units, durability: durability,
            reservationTimeoutMilliseconds: timeout.map { Int64($0.milliseconds) }, latePayments: latePayments
        ) { rig async throws in
            var options = SaleService.Options()
            options.latePayments.interval = .milliseconds(20)
            options.latePayments.patience = patience
            options.sweeper.interval = .milliseconds(10)
            let service = try await SaleService(
                cluster: rig.cluster, store: rig.store, options: options, events: EventLog())
            try await SaleRig.running([{ await service.run() }]) { try await body(rig, service) }
        }
    }

    private func pay(_ order: Order, _ service: SaleService) async -> PaymentResult? {
        await service.engine.record([Payment(order: order, succeeded: true)])?.first
    }

    @Test("a reservation expires in SQL, then Redis has its units back, once; its payment is paid back")
    func expires() async throws {
        try await withService([10], timeout: .milliseconds(300)) { rig, service async throws in
            let (early, late) = (rig.order(1, 2), rig.order(1, 3))
            for order in [early, late] { #expect(await service.engine.deduct(order) == .done(duplicate: false)) }
            #expect(await pay(early, service) == .confirmed)
            #expect(try await rig.stock() == 5)
            try await eventually("the stock follows") { try await rig.stock() == 8 }
            #expect(try await rig.counters().sold == 2)
            #expect(try await rig.counters().reserved == 0)
            #expect(service.sweeper.status.expired == 1 && service.sweeper.lag.summary.count == 1)
            #expect(await pay(late, service) == .refunded(.expired))
            try await eventually("give-backs are done") { try await rig.store.pendingGiveBacks(limit: 9).isEmpty }
            #expect(await service.compare(ledgers: true).driftUnits == 0)
            #expect(try await rig.stock() == 8)
            // A retry is told that it is over.
            #expect(await service.engine.deduct(late) == .refused(.cancelled))
        }
    }

    @Test("payments and deadlines race while the sale runs: every unit is somewhere once")
    func races() async throws {
        try await withService([2_000], timeout: .milliseconds(120)) { rig, service async throws in
            let orders = (0..<600).map { _ in rig.order() }
            let results = await withTaskGroup(of: PaymentResult?.self) { group in
                for (position, order) in orders.enumerated() {
                    group.addTask {
                        guard case .done = await service.engine.deduct(order) else { return nil }
                        try? await ContinuousClock().sleep(for: .milliseconds(100 + position % 40))
                        return await pay(order, service)
                    }
                }
                var all: [PaymentResult?] = []
                for await result in group { all.append(result) }
                return all
            }
            let confirmed = results.count { $0 == .confirmed }
            let refunded = results.count { $0 == .refunded(.expired) }
            #expect(confirmed + refunded == orders.count)
            try await eventually("give-backs are done") { try await rig.store.pendingGiveBacks(limit: 9).isEmpty }
            try await eventually("the stock follows") { try await rig.stock() == Int64(2_000 - confirmed) }
            #expect(try await rig.counters().sold == Int64(confirmed))
            #expect(try await rig.counters().reserved == 0)
            #expect(try await rig.store.paymentTotals().refundsPending == Int64(refunded))
            #expect(await service.compare(ledgers: true).driftUnits == 0)
        }
    }

    @Test("a late payment gets its lines under another flow while there are any, and its money back when not")
    func reservesAgain() async throws {
        try await withService([5], timeout: .milliseconds(200), latePayments: .reserveAgain) {
            rig, service async throws in
            let (first, second) = (rig.order(1, 3), rig.order(1, 2))
            for order in [first, second] { _ = await service.engine.deduct(order) }
            try await eventually("the stock follows") { try await rig.stock() == 5 }
            #expect(await pay(first, service) == .reservingAgain(.expired))
            try await eventually("the payment ends") { try await rig.store.paymentTotals().reservedAgain == 1 }
            guard case .reservedAgain(let flow)? = await pay(first, service) else {
                Issue.record("not reserved again")
                return
            }
            #expect(flow != first.flow)
            #expect(try await rig.counters().sold == 3)
            #expect(try await rig.stock() == 2)
            #expect(await service.engine.deduct(rig.order(1, 1)) == .done(duplicate: false))
            #expect(await pay(second, service) == .reservingAgain(.expired))
            try await eventually("the payment ends") { try await rig.store.paymentTotals().refundsPending == 1 }
            #expect(await pay(second, service) == .refunded(.expired))
            #expect(try await rig.counters().sold == 3)
            try await eventually("give-backs are done") { try await rig.store.pendingGiveBacks(limit: 9).isEmpty }
            #expect(await service.compare(ledgers: true).driftUnits == 0)
        }
    }

    @Test("an order that a crash took before SQL heard of it: its payment waits for the recovery, then is paid back")
    func lost() async throws {
        try await SaleRig.with(units: [10], durability: .memory) { rig async throws in
            let lost = rig.order(1, 4)
            #expect(try await rig.deduct([lost]) == "1 D")
            let payments = try await rig.store.commit(
                CommitBatch(payments: [Payment(order: lost, succeeded: true)])
            ).payments
            #expect(payments == [.waiting])
            try await rig.redis("FLUSHALL", [])
            var options = SaleService.Options()
            options.latePayments.interval = .milliseconds(20)
            let service = try await SaleService(
                cluster: rig.cluster, store: rig.store, options: options, events: EventLog())
            try await SaleRig.running([{ await service.run() }]) {
                #expect(await service.engine.deduct(rig.order()) == .refused(.fenced))
                try await eventually("the payment ends") { try await rig.store.paymentTotals().refundsPending == 1 }
                #expect(await pay(lost, service) == .refunded(.lost))
                try await eventually("give-backs are done") { try await rig.store.pendingGiveBacks(limit: 9).isEmpty }
                #expect(try await rig.stock() == 10)
                #expect(await service.engine.deduct(lost) == .refused(.cancelled))
                #expect(await service.compare(ledgers: true).driftUnits == 0)
            }
        }
    }

    @Test("an oversold order is named before anything is done, loses with a refund, and an older one takes its place")
    func oversold() async throws {
        try await SaleRig.with(units: [3], durability: .memory) { rig async throws in
            // The first two are in an old outbox only; a rollback sold their units again, and SQL heard of those first.
            let old = [rig.order(), rig.order()]
            let new = [rig.order(1, 2), rig.order()]
            let epoch = try await rig.record.epoch
            func entry(_ n: Int64, _ orders: [Order]) -> EntrySettlement {
                EntrySettlement(bucket: rig.bucket.number, id: OutboxID(epoch: epoch, n: n), action: .deduct(orders))
            }
            _ = try await rig.store.commit(CommitBatch(entries: [entry(1, new)]))
            let claim = try await rig.store.claimEpoch(bucket: rig.bucket.number, above: epoch, by: "test")
            _ = try await rig.store.commit(CommitBatch(entries: [entry(2, old)], claim: claim))
            try await rig.recover()
            #expect(try await rig.stock() == 0)
            #expect(try await rig.counters().overCapacity == 2)
            let service = try await SaleService(cluster: rig.cluster, store: rig.store, events: EventLog())
            try await SaleRig.running([{ await service.run() }]) {
                let plan = try await service.oversoldPlan(policy: .newestFirst)
                #expect(plan.losers.map(\.order) == [new[0]] && plan.takenIn.map(\.order) == [old[1], old[0]])
                #expect(plan.sentences(rig.catalogue).count == 3)
                #expect(try await rig.counters().overCapacity == 2, "a plan writes nothing")
                #expect(await service.apply(plan).isEmpty)
                let counters = try await rig.counters()
                #expect(counters.reserved == 3 && counters.overCapacity == 0)
                #expect(try await rig.stock() == 0)
                try await eventually("give-backs are done") { try await rig.store.pendingGiveBacks(limit: 9).isEmpty }
                #expect(try await rig.store.refunds(limit: 9).map(\.reason) == [.oversold])
                #expect(await service.compare(ledgers: true).driftUnits == 0)
                // The engine learns of the rebuild by its first call: a new order hears "try again", one that was asked before
                // waits for the bucket.
                #expect(await service.engine.deduct(old[0], isRetry: true) == .done(duplicate: true))
                #expect(await service.engine.deduct(new[0], isRetry: true) == .refused(.cancelled))
                #expect(try await service.oversoldPlan(policy: .newestFirst).isEmpty)
                #expect(await service.apply(plan).count == 1, "a plan is carried out once")
                #expect(try await rig.store.auditTrail(limit: 9).contains { $0.what == "settle oversold" })
                // That plan was refused while its bucket was rebuilt; it sells on.
                try await eventually("it answers") { await service.engine.deduct(rig.order()) == .refused(.soldOut) }
            }
        }
    }

    @Test(
        "a dead letter's units stay off sale through a rebuild, until a person gives them back",
        arguments: DeadLetterEnding.allCases)
    func deadLetter(ending: DeadLetterEnding) async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let poison = Order(
                trustedFlow: rig.flow(), bucket: BucketNumber(rawValue: 2),
                sortedLines: [OrderLine(sku: SKUNumber(rawValue: 1), quantity: 3)])
            let epoch = try await rig.record.epoch
            // Redis took it, as an entry says that nobody should have written.
            #expect(try await rig.deduct([rig.order(1, 3)]) == "1 D")
            let entry = EntrySettlement(
                bucket: rig.bucket.number, id: OutboxID(epoch: epoch, n: 1), action: .deduct([poison]))
            _ = try await rig.store.commit(CommitBatch(entries: [entry]))
            _ = try await rig.recoverer.recover(rig.bucket.number, settle: { _ in })
            #expect(try await rig.stock() == 7)
            let service = try await SaleService(cluster: rig.cluster, store: rig.store, events: EventLog())
            let letter = try #require(try await rig.store.deadLetters(limit: 9).first)
            #expect(letter.sentence(rig.catalogue).contains("another bucket"))
            #expect(await service.settleDeadLetter(letter.number, as: ending).succeeded)
            #expect(try await rig.stock() == (ending == .givenBack ? 10 : 7))
            #expect(try await rig.counters().allocated == (ending == .givenBack ? 10 : 7))
            #expect(await service.compare(ledgers: true).driftUnits == 0)
            #expect(await !service.settleDeadLetter(letter.number, as: ending).succeeded)
            #expect(try await rig.store.auditTrail(limit: 9).contains { $0.what == "settle dead letter" })
        }
    }
}
