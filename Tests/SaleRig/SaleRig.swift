public import Deduction
import Foundation
public import Inventory
public import Lab
public import OrderStore
public import Reconciliation
public import Redis
import Synchronization

/// One small sale on a real redis-server and a real SQLite file, with hands on everything: what live tests stand on.
public final class SaleRig: Sendable {
    public let fleet: EmbeddedFleet
    public let cluster: any RedisPort
    public let store: any OrderStore
    public let catalogue: Catalogue
    public let scripts: Scripts
    public let durability: Durability
    /// The first bucket, tagged `t1`, and its keys.
    public let bucket: Bucket
    public let keys: BucketKeys
    private let flows = Mutex(FlowIDGenerator())

    private init(
        fleet: EmbeddedFleet, cluster: any RedisPort, store: any OrderStore, catalogue: Catalogue, scripts: Scripts,
        durability: Durability
    ) {
        self.fleet = fleet
        self.cluster = cluster
        self.store = store
        self.catalogue = catalogue
        self.scripts = scripts
        self.durability = durability
        bucket = catalogue.buckets[0]
        keys = BucketKeys(bucket: bucket, catalogue: catalogue)
    }

    /// Runs `body` on a fresh sale and takes everything away again.
    ///
    /// - Parameters:
    ///   - units: allocation of SKU 1, 2, …
    ///   - buckets: SKUs are dealt out to this many buckets in turn.
    ///   - limitsPerBuyer: by SKU number.
    ///   - replicas: of the one server; connected when `body` begins.
    ///   - port: what stands between the sale and the server.
    ///   - isOpen: the sale is open and every bucket loaded; else it is a warmed sale whose buckets are new.
    public static func with(
        units: [Int64], buckets: Int = 1, limitsPerBuyer: [Int: Int64] = [:], durability: Durability = .durable,
        isOpen: Bool = true, replicas: Int = 0, serverLines: [String] = [], whileFenced: WhileFenced = .tryAgain,
        reservationTimeoutMilliseconds: Int64? = nil, latePayments: LatePaymentPolicy = .refund,
        port: (RedisCluster) async throws -> any RedisPort = { $0 }, _ body: (SaleRig) async throws -> Void
    ) async throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let fleet = try await EmbeddedFleet.start(
            .init(masters: 1, replicas: replicas, extraLines: serverLines))
        let outcome: Result<Void, any Error>
        do {
            let store = try SQLiteOrderStore.open(path: folder + "/orders.db")
            _ = try await store.createSale(
                SaleDraft(
                    name: "rig", durability: durability,
                    skus: units.enumerated().map { position, units in
                        .init(
                            sku: "sku\(position + 1)", name: "SKU \(position + 1)", tag: "t\(position % buckets + 1)",
                            allocated: units, limitPerBuyer: limitsPerBuyer[position + 1])
                    }, whileFenced: whileFenced,
                    reservationTimeoutMilliseconds: reservationTimeoutMilliseconds, latePayments: latePayments))
            let cluster = try await port(try await RedisCluster.connect(to: RedisURL(fleet.url)))
            let rig = SaleRig(
                fleet: fleet, cluster: cluster, store: store, catalogue: try await store.catalogue(),
                scripts: try await Scripts.load(on: cluster), durability: durability)
            do {
                if isOpen {
                    _ = try await store.setSaleState(from: [.warmed], to: .open)
                    for bucket in rig.catalogue.buckets { _ = try await rig.recoverer.recover(bucket.number) }
                }
                try await body(rig)
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            cluster.close()
            await store.close()
        } catch {
            await fleet.stop()
            throw error
        }
        await fleet.stop()
        try outcome.get()
    }

    /// A folder in memory where the host has such a place.
    private static func makeFolder() throws -> String {
        let memory = "/dev/shm"
        let parent =
            FileManager.default.isWritableFile(atPath: memory) ? memory : FileManager.default.temporaryDirectory.path
        let folder = parent + "/sale-rig-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return folder
    }

    // MARK: Orders

    public func flow() -> FlowID {
        flows.withLock { $0.next(milliseconds: WallClock.milliseconds, random: .random(in: 0 ... .max)) }
    }

    /// An order of SKU numbers and quantities, under a new flow unless one is given.
    public func order(_ lines: [(Int32, Int32)], buyer: BuyerID? = nil, flow: FlowID? = nil) -> Order {
        do {
            return try Order(
                flow: flow ?? self.flow(),
                lines: lines.map { OrderLine(sku: SKUNumber(rawValue: $0.0), quantity: $0.1) }, catalogue: catalogue,
                buyer: buyer)
        } catch {
            preconditionFailure("a test's order is refused: \(error)")
        }
    }

    public func order(_ sku: Int32 = 1, _ quantity: Int32 = 1) -> Order { order([(sku, quantity)]) }

    // MARK: Scripts by hand

    /// The answer in words: `n results` or `fenced reason`.
    public static func words(_ answer: ScriptAnswer) -> String {
        switch answer {
        case .done(let n, let results, _, _): "\(n) \(String(decoding: results, as: UTF8.self))"
        case .fenced(let reason, _): "fenced \(reason.rawValue)"
        case .unreadable: "unreadable"
        }
    }

    /// Calls deduct.lua or release.lua with all keys of the first bucket.
    public func call(
        _ script: LoadedScript, _ orders: [Order], epoch: Epoch, n: Int64 = 0, on other: (any RedisPort)? = nil
    ) async throws -> ScriptAnswer {
        let isDeduct = script.sha == scripts.deduct.sha
        let blob = OutboxBlob(
            milliseconds: WallClock.milliseconds, payload: isDeduct ? .deduct(orders) : .release(orders)
        ).bytes
        var call = ScriptCall(keyCount: 2 + 2 * keys.stocks.count)
        call.append(keys.control)
        call.append(keys.outbox)
        for position in keys.stocks.indices {
            call.append(keys, at: position)
        }
        call.append(epoch.rawValue)
        call.append(n)
        call.append(blob)
        for sku in bucket.skus { call.append(Int64(sku.rawValue)) }
        return ScriptAnswer(try await (other ?? cluster).evaluate(script, call, slot: keys.slot, deadline: soon))
    }

    /// `call(scripts.deduct, …)` in words, under the bucket's epoch in SQL unless one is given.
    public func deduct(_ orders: [Order], epoch: Epoch? = nil, n: Int64 = 0, on other: (any RedisPort)? = nil)
        async throws -> String
    {
        let present = try await record.epoch
        return Self.words(try await call(scripts.deduct, orders, epoch: epoch ?? present, n: n, on: other))
    }

    /// `call(scripts.release, …)` in words, under the bucket's epoch in SQL unless one is given.
    public func release(_ orders: [Order], epoch: Epoch? = nil) async throws -> String {
        let present = try await record.epoch
        return Self.words(try await call(scripts.release, orders, epoch: epoch ?? present))
    }

    /// Calls archive.lua with all keys of the first bucket.
    public func archive(_ orders: [ArchivableOrder], below watermark: FlowID, epoch: Epoch) async throws -> ScriptAnswer
    {
        var call = ScriptCall(keyCount: 2 + 2 * keys.stocks.count)
        call.append(keys.control)
        call.append(keys.outbox)
        for position in keys.stocks.indices {
            call.append(keys, at: position)
        }
        call.append(epoch.rawValue)
        call.append(Int64(0))
        call.append(watermark.bytes)
        for sku in bucket.skus {
            let flows = orders.filter { $0.skus.contains(sku) }.map(\.flow)
            call.append(Int64(flows.count))
            for flow in flows { call.append(flow.bytes) }
        }
        return ScriptAnswer(try await cluster.evaluate(scripts.archive, call, slot: keys.slot, deadline: soon))
    }

    /// An archiver over the whole sale.
    public func archiver(_ change: (inout Archiver.Configuration) -> Void) -> Archiver {
        var configuration = Archiver.Configuration()
        change(&configuration)
        return Archiver(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, configuration: configuration)
    }

    /// Runs close, rebuild, … on the first SKU's keys and tells `ok` or the fence's reason.
    public func step(_ script: LoadedScript, epoch: Epoch, skus: Int = 1, _ arguments: [String] = []) async throws
        -> String
    {
        var call = ScriptCall(keyCount: 2 + 2 * skus)
        call.append(keys.control)
        call.append(keys.outbox)
        for position in 0..<skus {
            call.append(keys, at: position)
        }
        call.append(epoch.rawValue)
        for argument in arguments { call.append(argument) }
        let reply = try await cluster.evaluate(script, call, slot: keys.slot, deadline: soon)
        return reply.array?.first?.int == 1 ? "ok" : reply.array?[1].string ?? "unreadable"
    }

    // MARK: Redis by hand

    public var soon: ContinuousClock.Instant { .now + .seconds(5) }

    /// A command whose words may be texts or keys.
    @discardableResult
    public func redis(_ name: String, _ words: [[UInt8]]) async throws -> RedisReply {
        var command = RedisCommand(name)
        for word in words { command.append(word) }
        return try await cluster.call(slot: keys.slot, command, deadline: soon)
    }

    @discardableResult
    public func redis(_ name: String, _ key: [UInt8], _ words: String...) async throws -> RedisReply {
        try await redis(name, [key] + words.map { Array($0.utf8) })
    }

    public func cut() async throws -> BucketCut {
        let reply = try await cluster.evaluate(
            scripts.cut, BucketCut.call(keys: keys), slot: keys.slot, deadline: soon)
        guard let cut = BucketCut(reply, bucket: bucket) else { throw NeverHappened(description: "an unreadable cut") }
        return cut
    }

    /// Units left of a SKU of the first bucket, by its number.
    public func stock(_ sku: Int32 = 1) async throws -> Int64? {
        try await redis("GET", keys.stocks[Int(sku) - 1]).int
    }

    /// Every key of the first bucket, as `DUMP` writes it.
    public func dump() async throws -> [(key: [UInt8], bytes: [UInt8])] {
        var all: [(key: [UInt8], bytes: [UInt8])] = []
        for key in [keys.control, keys.outbox] + keys.stocks + keys.ledgers {
            all.append((key, try await redis("DUMP", key).bytes ?? []))
        }
        return all
    }

    /// FLUSHALL, then the keys of a dump.
    public func flushAndReload(_ dump: [(key: [UInt8], bytes: [UInt8])]) async throws {
        try await redis("FLUSHALL", [])
        for (key, bytes) in dump { try await redis("RESTORE", [key, Array("0".utf8), bytes]) }
    }

    // MARK: Books

    public var record: BucketRecord {
        get async throws { try await store.buckets().first { $0.bucket == bucket.number }! }
    }

    public func counters(_ sku: Int32 = 1) async throws -> SKUCounters {
        try await store.skuCounters().first { $0.sku.rawValue == sku }!
    }

    public var recoverer: Recoverer {
        Recoverer(catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, claimant: "rig")
    }

    @discardableResult
    public func recover() async throws -> Recoverer.Report { try await recoverer.recover(bucket.number) }

    /// The first bucket's outbox after `id`.
    public func outbox(after id: OutboxID, sameEpoch: Bool = true) async throws -> [OutboxEntry] {
        let command = OutboxEntry.readCommand(keys: keys, after: id, sameEpoch: sameEpoch, limit: 1_000_000)
        return OutboxEntry.read(
            try await cluster.call(slot: keys.slot, command, deadline: soon), bucket: bucket.number)
    }

    /// Settles in SQL what the first bucket's outbox holds beyond it.
    public func drain() async throws {
        let entries = try await outbox(after: record.drainedThrough)
        if !entries.isEmpty { _ = try await store.commit(CommitBatch(entries: entries.map(\.settlement))) }
    }

    public func compare(ledgers: Bool = false, patience: Duration = .milliseconds(500)) async -> Comparison {
        var configuration = Reconciler.Configuration()
        configuration.comparesLedgers = ledgers
        configuration.drainPatience = patience
        return await Reconciler(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, configuration: configuration
        ).compare()
    }

    public func apply(_ plan: RepairPlan) async -> RepairPlan {
        await Repairer(catalogue: catalogue, cluster: cluster, scripts: scripts, store: store) { [recoverer] in
            _ = try await recoverer.recover($0.bucket)
            return true
        }.apply(plan)
    }

    // MARK: Engines

    public func makeEngine(
        store other: (any OrderStore)? = nil, configuration: DeductionEngine.Configuration = .init(),
        onFence: @escaping @Sendable (DeductionEngine.Fence) -> Void = { _ in }
    ) async throws -> DeductionEngine {
        try await DeductionEngine(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: other ?? store, durability: durability,
            configuration: configuration, whileFenced: try await store.sale()?.whileFenced ?? .tryAgain,
            onFence: onFence)
    }

    /// Runs `body` beside whatever `works` do, and ends those with it.
    public static func running(
        _ works: [@Sendable () async -> Void], _ body: () async throws -> Void
    ) async throws {
        let tasks = works.map { work in Task { await work() } }
        let outcome: Result<Void, any Error>
        do {
            try await body()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        try outcome.get()
    }
}
