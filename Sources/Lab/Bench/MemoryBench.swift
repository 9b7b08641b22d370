import Deduction
import Foundation
import Host
import Inventory
import OrderStore
import Reconciliation
import Redis

/// Measures what a very large sale weighs, in Redis and in Sellout, and how fast it is loaded and compared, on a private server.
public struct MemoryBench: Sendable {
    public struct Configuration: Sendable {
        public var skus = 1_000_000
        /// Told what is done; must not block.
        public var onProgress: @Sendable (String) -> Void = { _ in }
        public init() {}
    }

    /// SKUs of one bucket: what one cut reads in one go, some milliseconds of the server.
    public static let skusPerBucket = 1_000
    public static let skusRange = 1_000...1_000_000
    /// Buckets that are loaded at the same time.
    private static let loadsMax = 8
    /// Orders whose weight in ledger and outbox is measured, about.
    private static let orderSeconds = 1.0
    private static let comparisons = 5

    public let configuration: Configuration

    public init(_ configuration: Configuration) { self.configuration = configuration }

    /// - Throws: one line: a server or a file fails, or the books do not agree afterwards.
    public func run() async throws -> MemoryReport {
        let bed = BenchBed()
        let result: Result<MemoryReport, any Error>
        do { result = .success(try await run(on: bed)) } catch { result = .failure(error) }
        await bed.stop()
        return try result.get()
    }

    private func run(on bed: BenchBed) async throws -> MemoryReport {
        configuration.onProgress("starting a server")
        let cluster = try await bed.emptied(.single)
        defer { cluster.close() }
        let store = try SQLiteOrderStore.open(path: try await bed.newFile())
        let result: Result<MemoryReport, any Error>
        do {
            result = .success(try await run(cluster, store, on: bed))
        } catch {
            result = .failure(error)
        }
        await store.close()
        return try result.get()
    }

    private func run(
        _ cluster: RedisCluster, _ store: SQLiteOrderStore, on bed: BenchBed
    ) async throws -> MemoryReport {
        let clock = ContinuousClock()
        var report = MemoryReport(skus: configuration.skus)
        let scripts = try await Scripts.load(on: cluster)
        let emptyBytes = try await redisBytes(cluster)

        let start = clock.now
        try await createSale(store)
        report.createSeconds = start.duration(to: clock.now).inSeconds
        configuration.onProgress("\(BenchReport.grouped(Double(report.skus))) SKUs in SQL")

        let residentBefore = ProcessMemory.residentBytes()
        let catalogue = try await store.catalogue()
        let engine = try await DeductionEngine(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, durability: .memory)
        report.selloutBytesPerSKU = Double(ProcessMemory.residentBytes() - residentBefore) / Double(report.skus)
        withExtendedLifetime(engine) {}
        try await load(catalogue, cluster, scripts, store)
        report.loadSeconds = start.duration(to: clock.now).inSeconds
        report.redisBytesPerSKU = Double(try await redisBytes(cluster) - emptyBytes) / Double(report.skus)
        configuration.onProgress("loaded in \(BenchReport.fixed(report.loadSeconds, 1)) s")

        try await compare(catalogue, cluster, scripts, store, &report)
        try await weighOrders(catalogue, cluster, scripts, store, &report)
        report.peakBytesPerSKU = Double(ProcessMemory.peakBytes()) / Double(report.skus)
        report.machine = try await Bench.machine(bed)
        return report
    }

    // MARK: Loading

    private func createSale(_ store: SQLiteOrderStore) async throws {
        let skus = Stock(count: configuration.skus, onProgress: configuration.onProgress)
        _ = try await store.createSale(SaleDraft(name: "bench", durability: .memory, streaming: skus))
        _ = try await store.setSaleState(from: [.warmed], to: .open)
    }

    /// The SKUs of the sale, each made when SQL asks for it, dealt out to the buckets in turn.
    private struct Stock: Sequence, IteratorProtocol, Sendable {
        let count: Int
        let onProgress: @Sendable (String) -> Void
        private var number = 0

        init(count: Int, onProgress: @escaping @Sendable (String) -> Void) {
            self.count = count
            self.onProgress = onProgress
        }

        mutating func next() -> SaleDraft.SKU? {
            guard number < count else { return nil }
            if number > 0, number % Swift.max(1, count / 5) == 0 {
                onProgress("\(100 * number / count) % of the SKUs in SQL")
            }
            let buckets = (count + skusPerBucket - 1) / skusPerBucket
            defer { number += 1 }
            return SaleDraft.SKU(
                sku: "\(1_000_001 + number)", name: "SKU \(number + 1)", tag: "m\(number % buckets + 1)",
                allocated: 1_000_000_000)
        }
    }

    /// Loads bucket by bucket: no more than some buckets are held in memory at any time.
    private func load(
        _ catalogue: Catalogue, _ cluster: RedisCluster, _ scripts: Scripts, _ store: SQLiteOrderStore
    ) async throws {
        let recoverer = Recoverer(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, claimant: "bench")
        let buckets = catalogue.buckets
        let step = max(1, buckets.count / 10)
        try await withThrowingTaskGroup(of: Void.self) { group in
            var next = 0
            func addOne() {
                guard next < buckets.count else { return }
                let number = buckets[next].number
                next += 1
                group.addTask { _ = try await recoverer.recover(number) }
            }
            for _ in 0..<Self.loadsMax { addOne() }
            var done = 0
            while try await group.next() != nil {
                addOne()
                done += 1
                if done % step == 0 {
                    configuration.onProgress("\(100 * done / buckets.count) % of the buckets in Redis")
                }
            }
        }
    }

    // MARK: Comparing

    private func compare(
        _ catalogue: Catalogue, _ cluster: RedisCluster, _ scripts: Scripts, _ store: SQLiteOrderStore,
        _ report: inout MemoryReport
    ) async throws {
        let reconciler = Reconciler(catalogue: catalogue, cluster: cluster, scripts: scripts, store: store)
        var rates: [Double] = []
        var resident: [Int] = []
        for round in 1...Self.comparisons {
            let comparison = await reconciler.compare()
            guard comparison.unread.isEmpty, comparison.findings.isEmpty else {
                throw BenchError(
                    "the books of \(comparison.unread.count) buckets could not be compared, \(comparison.findings.count) findings in the others"
                )
            }
            rates.append(Double(report.skus) / comparison.duration.inSeconds)
            // As it is, not as it could be: what was freed and kept is held from the machine all the same.
            resident.append(ProcessMemory.residentBytes(trimming: false))
            configuration.onProgress(
                "comparison \(round) of \(Self.comparisons): \(BenchReport.grouped(rates[round - 1])) SKUs/s")
        }
        report.comparedSKUsPerSecond = BenchReport.median(rates)
        // The first one fills SQL's cache of pages.
        report.comparisonGrowthBytes = resident[resident.count - 1] - resident[0]
    }

    // MARK: Orders

    /// Sells one SKU for a while, and asks the server what its ledger and its outbox weigh.
    private func weighOrders(
        _ catalogue: Catalogue, _ cluster: RedisCluster, _ scripts: Scripts, _ store: SQLiteOrderStore,
        _ report: inout MemoryReport
    ) async throws {
        let bucket = catalogue.buckets[0]
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        let sale = Catalogue(
            entries: [catalogue[bucket.skus[0]]!], tags: [bucket.number: bucket.tag])
        let seller = try await DeductionEngine(
            catalogue: sale, cluster: cluster, scripts: scripts, store: store, durability: .memory)
        let before = try await weights(keys, cluster)
        let work = Task { await seller.run() }
        let crowd = BenchCrowd(engine: seller, load: EngineLoad(), seed: 1)
        crowd.beginCounting()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await crowd.press() }
            defer { crowd.leave() }
            try await Task.sleep(for: .seconds(Self.orderSeconds))
            crowd.leave()
            try await group.waitForAll()
        }
        work.cancel()
        await work.value
        let after = try await weights(keys, cluster)
        let (orders, entries) = (after.orders - before.orders, after.entries - before.entries)
        guard orders > 0, entries > 0 else { throw BenchError("nothing was sold, so nothing could be weighed") }
        report.ledgerBytesPerEntry = Double(after.ledgerBytes - before.ledgerBytes) / Double(orders)
        report.outboxBytesPerEntry = Double(after.outboxBytes - before.outboxBytes) / Double(entries)
        report.ordersPerOutboxEntry = Double(orders) / Double(entries)
    }

    private struct Weights {
        var orders: Int64
        var entries: Int64
        var ledgerBytes: Int64
        var outboxBytes: Int64
    }

    private func weights(_ keys: BucketKeys, _ cluster: RedisCluster) async throws -> Weights {
        func ask(_ name: String, _ words: [UInt8]...) async throws -> Int64 {
            var command = RedisCommand(name)
            for word in words { command.append(word) }
            return try await cluster.call(slot: keys.slot, command, deadline: .now + .seconds(20)).int ?? 0
        }
        func usage(_ key: [UInt8]) async throws -> Int64 {
            try await ask("MEMORY", Array("USAGE".utf8), key, Array("SAMPLES".utf8), Array("0".utf8))
        }
        return Weights(
            orders: try await ask("HLEN", keys.ledgers[0]), entries: try await ask("XLEN", keys.outbox),
            ledgerBytes: try await usage(keys.ledgers[0]), outboxBytes: try await usage(keys.outbox))
    }

    // MARK: Weighing

    private func redisBytes(_ cluster: RedisCluster) async throws -> Int {
        try await ServerReading.info(cluster, "memory").reduce(0) { $0 + (Int($1["used_memory"] ?? "") ?? 0) }
    }
}
