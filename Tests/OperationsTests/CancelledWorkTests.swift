import Deduction
import Inventory
import Operations
import OrderStore
import Reconciliation
import SaleRig
import Synchronization
import Testing

/// What works behind a sale ends when it is told to, at once and quietly.
@Suite("Work that is cancelled", .timeLimit(.minutes(5)))
struct CancelledWorkTests {
    /// Counts what is asked of it, by name; it may have stopped answering.
    private final class CountingStore: OrderStoreDecorator {
        let base: any OrderStore
        private let state = Mutex((calls: [String: Int](), fails: false))
        init(_ base: any OrderStore) { self.base = base }

        var calls: [String: Int] { state.withLock { $0.calls } }
        func fail() { state.withLock { $0.fails = true } }

        private func count(_ name: String = #function) throws {
            let fails = state.withLock {
                $0.calls[name, default: 0] += 1
                return $0.fails
            }
            if fails { throw OrderStoreError(.refused, "the order store is down") }
        }
        func buckets() async throws -> [BucketRecord] {
            try count()
            return try await base.buckets()
        }
        func bucketControls() async throws -> [BucketControl] {
            try count()
            return try await base.bucketControls()
        }
        func pendingGiveBacks(limit: Int) async throws -> [GiveBack] {
            try count()
            return try await base.pendingGiveBacks(limit: limit)
        }
        func pendingRestocks() async throws -> [Restock] {
            try count()
            return try await base.pendingRestocks()
        }
        func lastReservationOrSweep() async throws -> Int64? {
            try count()
            return try await base.lastReservationOrSweep()
        }
        func paymentsToReserveAgain(limit: Int) async throws -> [LatePayment] {
            try count()
            return try await base.paymentsToReserveAgain(limit: limit)
        }
        func halfDone(limit: Int) async throws -> [HalfDoneOrder] {
            try count()
            return try await base.halfDone(limit: limit)
        }
    }

    @Test("asks SQL nothing more, whether SQL answers or not", arguments: [true, false])
    func ends(answers: Bool) async throws {
        try await SaleRig.with(units: [10, 10], buckets: 2) { rig async throws in
            let store = CountingStore(rig.store)
            let service = try await SaleService(cluster: rig.cluster, store: store, events: EventLog())
            let work = Task { await service.run() }
            let parts = [
                "buckets()", "bucketControls()", "pendingGiveBacks(limit:)", "pendingRestocks()",
                "lastReservationOrSweep()", "paymentsToReserveAgain(limit:)", "halfDone(limit:)",
            ]
            try await eventually("everybody works") { parts.allSatisfy { store.calls[$0, default: 0] > 2 } }
            if !answers {
                store.fail()
                // A recovery under way, and a cancellation that waits.
                _ = try await rig.store.cancel([rig.order(1)])
                service.supervisor.report(rig.bucket.number, epoch: try await rig.record.epoch, reason: .noControl)
                let asked = store.calls["buckets()", default: 0]
                try await eventually("it is tried") { store.calls["buckets()", default: 0] > asked + 20 }
            }
            let before = store.calls
            work.cancel()
            let start = ContinuousClock.now
            await work.value
            #expect(ContinuousClock.now - start < .seconds(20))
            for (name, count) in store.calls {
                #expect(
                    count - before[name, default: 0] <= 20,
                    "\(name) was asked \(count - before[name, default: 0]) times more")
            }
        }
    }
}
