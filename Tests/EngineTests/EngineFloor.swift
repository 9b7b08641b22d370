import Deduction
import EngineHistory
import Foundation
import Host
import Inventory
import Lab
import Operations
import OrderStore
import Reconciliation
import Redis
import Testing

/// A Redis server, books and an open sale which the test owns; engines come and die beside them.
final class EngineFloor: Sendable {
    static let allocated: Int64 = 40
    private static let tags = ["red", "blue"]
    private static let skusEach = 3

    let fleet: EmbeddedFleet
    private let folder: String
    private let durability: Durability
    var books: String { "\(folder)/books.sqlite" }
    private var historyPath: String { "\(folder)/history" }

    init(_ durability: Durability) async throws {
        self.durability = durability
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("sellout-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        fleet = try await EmbeddedFleet.start(.init(masters: 1))
        let store = try await openBooks()
        _ = try await store.createSale(
            SaleDraft(
                name: "killed", durability: durability,
                skus: (0..<Self.tags.count * Self.skusEach).map { number in
                    SaleDraft.SKU(
                        sku: "s\(number)", name: "SKU \(number)", tag: Self.tags[number % Self.tags.count],
                        allocated: Self.allocated)
                }))
        let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
        let service = try await SaleService(cluster: cluster, store: store, events: EventLog())
        _ = try await service.warm()
        let opened = await service.control.open()
        try #require(opened.succeeded, "\(opened.sentence)")
        cluster.close()
        await store.close()
    }

    /// Opens the books on a thread of its own. Where a stopped engine holds the lock this takes seconds, and on the few threads that
    /// run tasks it would keep everybody from being on time.
    private func openBooks(readOnly: Bool = false) async throws -> SQLiteOrderStore {
        let books = books
        let opened: Result<SQLiteOrderStore, any Error> = await withCheckedContinuation { continuation in
            do {
                try OSThread.start(name: "open-books") {
                    continuation.resume(
                        returning: Result { try SQLiteOrderStore.open(path: books, readOnly: readOnly) })
                }
            } catch { continuation.resume(returning: .failure(error)) }
        }
        return try opened.get()
    }

    func stop() async {
        await fleet.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// A process that serves the sale, finishes what others left, and places `orders` more.
    func run(
        seed: UInt64, orders: Int, settles: Bool = false, dieAt step: String = "", killAtLine: Int? = nil
    ) async throws -> (ending: ChildProcess.Ending, text: String) {
        let arguments = [
            fleet.url, books, historyPath, String(seed), String(orders), settles ? "settle" : "run",
        ]
        return try await EngineRun.start(arguments + (step.isEmpty ? [] : [step]), killAtLine: killAtLine).ending()
    }

    /// The same, under way; it has placed `orders` orders or more when this returns.
    func startRun(seed: UInt64, orders: Int, until placed: Int) async throws -> EngineRun {
        let run = try await EngineRun.start([fleet.url, books, historyPath, String(seed), String(orders), "run"])
        let deadline = ContinuousClock.now + .seconds(20)
        while EngineHistory.read(historyPath).entries.count < placed {
            try #require(
                ContinuousClock.now < deadline, "it placed \(EngineHistory.read(historyPath).entries.count) orders")
            try await ContinuousClock().sleep(for: .milliseconds(1))
        }
        return run
    }

    /// Whether SQL takes a write now; it is waited for a few seconds.
    func writesToSQL() async -> Bool {
        guard let store = try? await openBooks() else { return false }
        let entry = AuditEntry(
            atMilliseconds: 0, who: "test", origin: "", what: "look", subject: "books", before: "", after: "")
        let isWritten = (try? await store.audit(entry)) != nil
        await store.close()
        return isWritten
    }

    /// Empties the server, and recovers every bucket as somebody else.
    func recoverEmptied() async throws {
        let store = try await openBooks()
        let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
        _ = try await cluster.call(slot: 0, RedisCommand("FLUSHALL"), deadline: .now + .seconds(5))
        let catalogue = try await store.catalogue()
        let recoverer = Recoverer(
            catalogue: catalogue, cluster: cluster, scripts: try await Scripts.load(on: cluster), store: store,
            claimant: "another")
        for bucket in catalogue.buckets { _ = try await recoverer.recover(bucket.number) }
        cluster.close()
        await store.close()
    }

    /// Makes the fence stop the first bucket, as if the server had been promoted.
    ///
    /// - Parameter intact: with all its data; else a stock is gone, and the bucket must be rebuilt.
    func breakLineage(intact: Bool) async throws {
        let connection = try RedisConnection(address: fleet.nodes[0].address)
        _ = try await connection.call(
            RedisCommand("HSET", "sc_{\(Self.tags[0])}", "lineage", "another"), deadline: .now + .seconds(5))
        if !intact {
            _ = try await connection.call(RedisCommand("DEL", "ss_{\(Self.tags[0])}s0"), deadline: .now + .seconds(5))
        }
        connection.close()
    }

    /// Takes the recovery of every bucket and goes no further: as a recoverer that died at once.
    func abandonRecovery() async throws {
        let store = try await openBooks()
        for record in try await store.buckets() {
            _ = try await store.claimEpoch(bucket: record.bucket, above: .none, by: "nobody")
        }
        await store.close()
    }

    /// Compares what the buyers know, what SQL says and what Redis holds.
    func check() async throws {
        let history = EngineHistory.read(historyPath)
        let store = try await openBooks(readOnly: true)
        let catalogue = try await store.catalogue()
        var standing: [FlowID: [OrderLine]] = [:]
        for counters in try await store.skuCounters() {
            let rows = try await store.ledgerPage(sku: counters.sku, after: nil, limit: 10_000)
            #expect(Set(rows.map(\.flow)).count == rows.count, "a flow stands twice under one SKU")
            let taken = rows.filter { !$0.cancelled }
            for row in taken {
                standing[row.flow, default: []].append(OrderLine(sku: row.sku, quantity: Int32(row.quantity)))
            }
            #expect(taken.reduce(0) { $0 + $1.quantity } == counters.sold + counters.reserved)
            #expect(counters.sold + counters.reserved <= counters.allocated)
            #expect(counters.overCapacity == 0)
        }
        for entry in history.entries {
            let rows = (standing[entry.flow] ?? []).sorted { $0.sku < $1.sku }
            #expect(entry.isDecided, "\(entry.flow) never heard a final answer")
            if entry.mustStand {
                #expect(rows == entry.lines.sorted { $0.sku < $1.sku }, "\(entry.flow) was told yes")
                #expect(entry.again.allSatisfy { $0 == "yes" }, "\(entry.flow) was told yes, then \(entry.again)")
                #expect(!entry.again.isEmpty, "\(entry.flow) was not asked again")
            }
            if entry.mustNotStand { #expect(rows.isEmpty, "\(entry.flow) was told no, or cancelled") }
            if entry.payment == true { #expect(entry.paid == "confirmed", "\(entry.flow) was paid") }
            if entry.payment == false { #expect(entry.paid == "cancelled", "\(entry.flow) was not paid") }
            if entry.cancelling { #expect(entry.cancelled == "cancelled", "\(entry.flow) was cancelled") }
        }
        // What nobody asked for is not there.
        #expect(Set(standing.keys).isSubset(of: Set(history.entries.map(\.flow))))
        let payments = history.entries.count { $0.paid == "confirmed" }
        let totals = try await store.orderTotals()
        #expect(totals.sold == Int64(payments))
        #expect(totals.partial == 0)
        #expect(totals.void == 0 && totals.deadLetters == 0 && totals.pendingGiveBacks == 0)
        try await checkRedis(store, catalogue)
        await store.close()
    }

    private func checkRedis(_ store: any OrderStore, _ catalogue: Catalogue) async throws {
        let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
        let scripts = try await Scripts.load(on: cluster)
        let counters = Dictionary(uniqueKeysWithValues: try await store.skuCounters().map { ($0.sku, $0) })
        for bucket in catalogue.buckets {
            let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
            let reply = try await cluster.evaluate(
                scripts.cut, BucketCut.call(keys: keys), slot: keys.slot, deadline: .now + .seconds(5))
            let cut = try #require(BucketCut(reply, bucket: bucket))
            #expect(cut.damage == nil)
            for sku in cut.skus {
                let books = try #require(counters[sku.sku])
                #expect(sku.stock == books.allocated - books.sold - books.reserved)
            }
        }
        var configuration = Reconciler.Configuration()
        configuration.comparesLedgers = true
        let comparison = await Reconciler(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, configuration: configuration
        ).compare()
        #expect(comparison.cuts == catalogue.buckets.count)
        #expect(comparison.findings.map(\.sentence) == [])
        cluster.close()
    }
}
