import Deduction
import Inventory
import Lab
import Operations
import OrderStore
import Reconciliation
import Redis
import Testing

/// A recoverer elsewhere died. The engines that live on do not wait for it for ever.
@Suite("A recovery that its process did not end", .timeLimit(.minutes(5)))
struct AbandonedRecoveryTests {
    enum DiedAfter: CaseIterable { case claim, close, markOpened }

    @Test("is taken over by an engine that lives", arguments: DiedAfter.allCases)
    func takenOver(diedAfter: DiedAfter) async throws {
        let floor = try await EngineFloor(.durable)
        let store = try SQLiteOrderStore.open(path: floor.books)
        let cluster = try await RedisCluster.connect(to: RedisURL(floor.fleet.url))
        var options = SaleService.Options()
        options.engine.recoveryPatience = .milliseconds(500)
        options.engine.orderTimeout = .seconds(10)
        let service = try await SaleService(cluster: cluster, store: store, options: options, events: EventLog())
        let bucket = service.catalogue.buckets[0]
        try await recover(bucket, until: diedAfter, service)

        await withTaskGroup(of: Void.self) { group in
            group.addTask { await service.run() }
            let order = Order(
                trustedFlow: FlowID(high: 1 << 16 | 0x7000, low: 1 << 63), bucket: bucket.number,
                sortedLines: [OrderLine(sku: bucket.skus[0], quantity: 2)])
            // An order whose outcome is unknown waits until the bucket sells again. Where Redis has not heard of the claim it
            // takes the order first, and the recovery finds it.
            let outcome = await service.engine.deduct(order, isRetry: true)
            #expect(outcome == .done(duplicate: diedAfter == .claim))
            // Counted a moment after the bucket opened; the suite's limit ends it otherwise.
            while service.supervisor.status.recoveries == 0, !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(5))
            }
            group.cancelAll()
        }
        #expect(service.supervisor.status.recoveries >= 1)
        cluster.close()
        await store.close()
        await floor.stop()
    }

    /// The first steps of a recovery, by a process that then dies.
    private func recover(_ bucket: Bucket, until last: DiedAfter, _ service: SaleService) async throws {
        let claim = try await service.store.claimEpoch(bucket: bucket.number, above: .none, by: "nobody")
        if last == .claim { return }
        let keys = BucketKeys(bucket: bucket, catalogue: service.catalogue)
        var close = ScriptCall(keyCount: 2)
        close.append(keys.control)
        close.append(keys.outbox)
        close.append(claim.rawValue)
        _ = try await service.cluster.evaluate(
            service.scripts.close, close, slot: keys.slot, deadline: .now + .seconds(5))
        if last == .close { return }
        _ = try await service.store.fold(bucket: bucket.number, claim: claim)
        _ = try await service.store.markOpened(bucket: bucket.number, claim: claim)
    }
}
