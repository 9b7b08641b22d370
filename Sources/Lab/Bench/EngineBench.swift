import Deduction
import Glibc
import Inventory
import OrderStore
import Reconciliation
import Redis
import Synchronization

/// What one measurement found.
struct BenchMeasurement: Sendable {
    /// Orders done (or refused, where refusals are counted) a second.
    var perSecond: Double
    var p50Milliseconds: Double
    var p99Milliseconds: Double
    /// `nil` where no server takes part.
    var serverMicroseconds: Double?
    /// Processor time of this process for each order, engine and callers; `nil` where another program asks.
    var clientMicroseconds: Double?
}

/// Measures the engine itself: a sale of its own on emptied servers and in new books, and callers that ask, wait and ask again.
struct EngineBench {
    /// Before anything counts: connections, scripts and tables are warm then.
    static let warmUp = Duration.milliseconds(150)

    let load: EngineLoad
    let bed: BenchBed

    private var place: BenchBed.Place

    init(row: BenchRow, load: EngineLoad, bed: BenchBed) {
        self.load = load
        self.bed = bed
        place = row == .cluster3 ? .cluster : row == .replicated1 ? .replicated : .single
    }

    func measure(seconds: Double, seed: UInt64) async throws -> BenchMeasurement {
        let cluster = try await bed.emptied(place, appendOnly: load.appendOnly)
        defer { cluster.close() }
        let path = try await bed.newFile()
        let store = try SQLiteOrderStore.open(path: path)
        let result: Result<BenchMeasurement, any Error>
        do {
            result = .success(try await measure(cluster, store, seconds: seconds, seed: seed))
        } catch {
            result = .failure(error)
        }
        await store.close()
        await bed.removeFile(path)
        return try result.get()
    }

    private func measure(
        _ cluster: RedisCluster, _ store: SQLiteOrderStore, seconds: Double, seed: UInt64
    ) async throws -> BenchMeasurement {
        let sale = try await BenchSale.open(load, cluster: cluster, store: store)
        var configuration = DeductionEngine.Configuration()
        if !load.isCombined {
            configuration.callOrdersMax = 1
            configuration.callsInFlightMax = load.callers
        }
        let engine = try await DeductionEngine(
            catalogue: sale.catalogue, cluster: cluster, scripts: sale.scripts, store: store,
            durability: load.durability, configuration: configuration)
        var draining = OutboxWorker.Configuration()
        draining.onlyAbandoned = true
        let worker = OutboxWorker(
            catalogue: sale.catalogue, cluster: cluster, store: store, configuration: draining
        ) { _, _ in }
        let isDurable = load.durability == .durable
        let work = Task {
            await withTaskGroup { group in
                group.addTask { await engine.run() }
                // Engines settle their own entries at `durable`; the worker trims behind them.
                if isDurable { group.addTask { await worker.run() } }
            }
        }
        let crowd = BenchCrowd(engine: engine, load: load, seed: seed)
        let result: Result<BenchMeasurement, any Error>
        do {
            result = .success(try await measure(crowd, cluster, seconds: seconds))
        } catch {
            result = .failure(error)
        }
        work.cancel()
        await work.value
        return try result.get()
    }

    private func measure(
        _ crowd: BenchCrowd, _ cluster: RedisCluster, seconds: Double
    ) async throws -> BenchMeasurement {
        let clock = ContinuousClock()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await crowd.press() }
            defer { crowd.leave() }
            try await clock.sleep(for: Self.warmUp)
            let before = try await ServerReading.processorMicroseconds(cluster)
            let usedBefore = Self.usedMicroseconds()
            crowd.beginCounting()
            let start = clock.now
            try await clock.sleep(for: .seconds(seconds))
            crowd.endCounting()
            let elapsed = start.duration(to: clock.now).inSeconds
            let used = Self.usedMicroseconds() - usedBefore
            let after = try await ServerReading.processorMicroseconds(cluster)
            crowd.leave()
            try await group.waitForAll()
            let tally = crowd.tally
            guard tally.unexpected == 0 else {
                throw BenchError(
                    "\(tally.unexpected) of \(tally.count + tally.unexpected) orders were not answered as expected, the last one: \(tally.lastUnexpected)"
                )
            }
            return BenchMeasurement(
                perSecond: Double(tally.count) / elapsed, p50Milliseconds: tally.quantile(0.5),
                p99Milliseconds: tally.quantile(0.99),
                serverMicroseconds: tally.count > 0 ? (after - before) / Double(tally.count) : nil,
                clientMicroseconds: tally.count > 0 ? used / Double(tally.count) : nil)
        }
    }

    /// Processor time that this process has used.
    private static func usedMicroseconds() -> Double {
        var usage = rusage()
        getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
        func microseconds(_ time: timeval) -> Double { Double(time.tv_sec) * 1e6 + Double(time.tv_usec) }
        return microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
    }
}

/// Why a row could not be measured, in one line.
public struct BenchError: Error, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

/// A small sale, loaded and open.
struct BenchSale {
    let catalogue: Catalogue
    let scripts: Scripts

    static func open(_ load: EngineLoad, cluster: RedisCluster, store: SQLiteOrderStore) async throws -> BenchSale {
        _ = try await store.createSale(
            SaleDraft(
                name: "bench", durability: load.durability,
                skus: (0..<load.skus).map { number in
                    .init(
                        sku: "\(1_001 + number)", name: "SKU \(number + 1)", tag: "b\(number % load.buckets)",
                        allocated: load.units)
                }))
        let catalogue = try await store.catalogue()
        let scripts = try await Scripts.load(on: cluster)
        _ = try await store.setSaleState(from: [.warmed], to: .open)
        let recoverer = Recoverer(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, claimant: "bench")
        for bucket in catalogue.buckets { _ = try await recoverer.recover(bucket.number) }
        return BenchSale(catalogue: catalogue, scripts: scripts)
    }
}
