import Deduction
import Inventory
import Operations
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

/// What a sale that died left on its way, seen and finished by somebody else.
@Suite("Backlog", .timeLimit(.minutes(5)))
struct BacklogTests {
    private func service(_ rig: SaleRig) async throws -> SaleService {
        try await SaleService(cluster: rig.cluster, store: rig.store, events: EventLog())
    }

    @Test("what nobody takes to SQL or gives back is seen, and settled to the unit")
    func settles() async throws {
        try await SaleRig.with(units: [100, 100], durability: .memory) { rig async throws in
            let (early, late) = ((0..<3).map { _ in rig.order(1, 2) }, (0..<4).map { _ in rig.order(2, 3) })
            _ = try await rig.deduct(early)
            try await rig.drain()
            _ = try await rig.store.cancel(Array(early.prefix(2)))
            _ = try await rig.deduct(late)
            let service = try await service(rig)

            let backlog = try await service.backlog()
            #expect(backlog.entries == 1 && backlog.giveBacks.count == 2)
            let unattended = try #require(try await service.unattended(backlog, patience: .milliseconds(300)))
            #expect(unattended == backlog)
            let load = await service.load(of: unattended)
            #expect(load.orders == 4 && load.units == 12)
            #expect(unattended.parts(load) == ["12 units of 4 orders", "2 give-backs"])

            let settled = try await service.settleBacklog()
            #expect(settled.left.isEmpty)
            #expect(settled.sentence == "settled 12 units of 4 orders and 2 give-backs that nobody worked on")
            #expect(try await service.backlog().isEmpty)
            #expect(try await rig.stock(1) == 98)
            #expect(try await rig.stock(2) == 88)
            let comparison = await service.compare(ledgers: true)
            #expect(comparison.findings.isEmpty && comparison.unread.isEmpty, "\(comparison.findings)")
            #expect(try await rig.store.auditTrail(limit: 1).first?.what == "settle backlog")
            #expect(try await service.settleBacklog().sentence == nil, "settled once")
        }
    }

    @Test("what a sale at work takes there is nobody's concern, and settling beside it does nothing twice")
    func besideALiveSale() async throws {
        try await SaleRig.with(units: [10_000], durability: .memory) { rig async throws in
            let live = try await service(rig)
            let other = try await service(rig)
            try await SaleRig.running([{ await live.run() }]) {
                for _ in 0..<20 {
                    for _ in 0..<10 { #expect(await live.engine.deduct(rig.order()) == .done(duplicate: false)) }
                    let backlog = try await other.backlog()
                    #expect(try await other.unattended(backlog) == nil)
                }
                _ = try await rig.store.cancel([rig.order()])
                async let settled = other.settleBacklog()
                for _ in 0..<100 { #expect(await live.engine.deduct(rig.order()) == .done(duplicate: false)) }
                #expect(try await settled.left.isEmpty)
                try await eventually("nothing waits") { try await other.backlog().isEmpty }
                #expect(try await rig.stock() == 9_700)
                #expect(await other.compare(ledgers: true).driftUnits == 0)
            }
        }
    }

    @Test("an order that was left half done is ended, and its units come back")
    func halfDone() async throws {
        try await SaleRig.with(units: [10, 10], buckets: 2, durability: .memory) { rig async throws in
            let wide = try Order.across(
                flow: rig.flow(),
                lines: [
                    OrderLine(sku: SKUNumber(rawValue: 1), quantity: 2),
                    OrderLine(sku: SKUNumber(rawValue: 2), quantity: 1),
                ], catalogue: rig.catalogue)
            let first = try #require(wide.wide?.orders.first { $0.bucket == rig.bucket.number })
            _ = try await rig.deduct([first])
            let service = try await service(rig)
            let settled = try await service.settleBacklog()
            #expect(settled.left.isEmpty && settled.done.halfDone == [wide.flow])
            #expect(try await service.backlog().isEmpty)
            #expect(try await rig.stock() == 10)
            #expect(await service.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("reservations whose time is over are ended")
    func expired() async throws {
        try await SaleRig.with(units: [10], durability: .memory, reservationTimeoutMilliseconds: 1) {
            rig async throws in
            _ = try await rig.deduct([rig.order(), rig.order()])
            let settled = try await service(rig).settleBacklog()
            #expect(settled.expired == 2 && settled.sweeps)
            #expect(try await rig.stock() == 10)
        }
    }

    @Test("a recovery that was begun and not ended is done again")
    func abandonedRecovery() async throws {
        try await SaleRig.with(units: [10], durability: .memory) { rig async throws in
            _ = try await rig.deduct([rig.order()])
            _ = try await rig.store.claimEpoch(bucket: rig.bucket.number, above: .none, by: "somebody who died")
            let service = try await service(rig)
            #expect(try await service.backlog().recovering.count == 1)
            let settled = try await service.settleBacklog()
            #expect(settled.left.isEmpty && settled.done.recovering.count == 1)
            #expect(try await rig.record.state == .open)
            #expect(try await rig.stock() == 9)
        }
    }

    @Test("of two looks: what has not moved, and what is still to be done")
    func looks() {
        let (bucket, epoch) = (BucketNumber(rawValue: 1), Epoch(rawValue: 3))
        func look(_ drained: Int64, _ end: Int64, giveBacks: Int = 0) -> Backlog {
            var backlog = Backlog()
            backlog.outboxes[bucket] = .init(
                drained: OutboxID(epoch: epoch, n: drained), end: OutboxID(epoch: epoch, n: end))
            backlog.giveBacks = Set(
                (0..<giveBacks).map { .init(flow: FlowID(high: UInt64($0), low: 0), bucket: bucket) })
            return backlog
        }
        #expect(look(2, 5).unmoved(in: look(2, 5)) == look(2, 5))
        #expect(look(2, 5).unmoved(in: look(3, 5)).isEmpty)
        #expect(look(2, 5).unmoved(in: look(2, 6)).isEmpty, "somebody sells")
        #expect(look(2, 5, giveBacks: 3).unmoved(in: look(4, 5, giveBacks: 2)).isEmpty)
        #expect(look(2, 5, giveBacks: 3).unmoved(in: look(4, 5, giveBacks: 4)).giveBacks.count == 3)
        #expect(look(2, 5).remaining(in: look(4, 9)) == look(4, 5))
        #expect(look(2, 5).remaining(in: look(5, 9)).isEmpty)
        #expect(look(2, 5).remaining(in: Backlog()).isEmpty)
    }
}
