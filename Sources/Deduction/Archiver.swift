public import Inventory
public import OrderStore
public import Redis
import Synchronization

/// Keeps Redis's ledgers from growing for ever: takes settled orders that are older than the dedupe horizon out of them, in
/// bounded steps. A retry that comes later still is answered from SQL.
///
/// The watermark goes up in SQL first, then in Redis, and only then do fields go: whatever dies in between leaves a flow that is
/// forbidden and still there, never one that is gone and allowed. Open reservations stay, however old.
public final class Archiver: Sendable {
    public struct Configuration: Sendable {
        /// How long after it was made a flow is answered from Redis's ledger.
        public var horizon = Duration.seconds(3_600)
        /// Pause between two turns; `nil`: a twentieth of the horizon, at least a second.
        public var interval: Duration?
        /// Lines of orders that one step of the watermark passes in SQL.
        public var passedMax = 4_000
        /// Orders in one script call: Redis serves nobody else while it removes them.
        public var ordersMax = 256
        /// Pause between two script calls of a bucket.
        public var stepPause = Duration.milliseconds(2)
        public init() {}

        var turnPause: Duration { interval ?? max(.seconds(1), horizon / 20) }
    }

    public struct Status: Sendable, Hashable {
        /// Orders taken out of the ledgers since start.
        public var archivedOrders: Int64 = 0
        /// Ledger fields that went with them.
        public var removedFields: Int64 = 0
        /// Script calls.
        public var steps: Int64 = 0
        /// What stopped the last turn of some bucket; `nil` while all is well.
        public var lastError: String?
    }

    private let catalogue: Catalogue
    private let cluster: any RedisPort
    private let scripts: Scripts
    private let store: any OrderStore
    private let configuration: Configuration
    private let clock: SaleClock
    private let state = Mutex(Status())

    public init(
        catalogue: Catalogue, cluster: any RedisPort, scripts: Scripts, store: any OrderStore,
        configuration: Configuration = Configuration(), clock: SaleClock = .system
    ) {
        self.catalogue = catalogue
        self.cluster = cluster
        self.scripts = scripts
        self.store = store
        self.configuration = configuration
        self.clock = clock
    }

    public var status: Status { state.withLock { $0 } }

    /// Archives until cancelled.
    public func run() async {
        while !Task.isCancelled {
            try? await clock.sleep(for: configuration.turnPause)
            if Task.isCancelled { return }
            await turn()
        }
    }

    /// One turn over all buckets: what is old enough now is gone from the ledgers of those that answered.
    public func turn() async {
        var failure: String?
        do {
            for record in try await store.buckets() where record.state == .open && !Task.isCancelled {
                do { try await archive(record) } catch { failure = "\(error)" }
            }
        } catch {
            failure = "\(error)"
        }
        state.withLock { $0.lastError = failure }
    }

    private struct Stopped: Error, CustomStringConvertible { let description: String }

    private func archive(_ record: BucketRecord) async throws {
        guard let bucket = catalogue[record.bucket] else { return }
        let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
        var watermark = record.watermark
        while !Task.isCancelled {
            let before = watermark
            watermark = try await store.raiseWatermark(
                bucket: record.bucket, horizon: configuration.horizon, ordersMax: configuration.passedMax)
            guard let watermark else { return }
            // Redis hears of it even if nothing goes, once more at each turn: a recovery may have brought it an older one.
            try await remove([], below: watermark, bucket, keys, record)
            var after: FlowID?
            while !Task.isCancelled {
                let page = try await store.archivable(
                    bucket: record.bucket, after: after, limit: configuration.ordersMax)
                guard let last = page.last else { break }
                after = last.flow
                try await remove(page, below: watermark, bucket, keys, record)
                try await store.noteArchived(bucket: record.bucket, page.map(\.flow))
                try? await clock.sleep(for: configuration.stepPause)
            }
            if watermark == before { return }
        }
    }

    /// One call of archive.lua: whole orders, so that none is ever half there.
    private func remove(
        _ orders: [ArchivableOrder], below watermark: FlowID, _ bucket: Bucket, _ keys: BucketKeys,
        _ record: BucketRecord
    ) async throws {
        var flows: [Int: [FlowID]] = [:]
        for order in orders {
            for sku in order.skus {
                if let position = keys.position(of: sku) { flows[position, default: []].append(order.flow) }
            }
        }
        let positions = flows.keys.sorted()
        var call = ScriptCall(
            keyCount: 2 + 2 * positions.count, capacity: 64 * (4 + positions.count + 2 * orders.count))
        call.append(keys.control)
        call.append(keys.outbox)
        for position in positions { call.append(keys, at: position) }
        call.append(record.epoch.rawValue)
        call.append(record.drainedN)
        call.append(watermark.bytes)
        for position in positions {
            call.append(Int64(flows[position]!.count))
            for flow in flows[position]! { call.append(flow.bytes) }
        }
        let reply = try await cluster.evaluate(
            scripts.archive, call, slot: keys.slot, deadline: clock.now + .seconds(2))
        switch ScriptAnswer(reply) {
        case .done(_, _, _, let counts):
            state.withLock {
                $0.steps += 1
                $0.archivedOrders += Int64(orders.count)
                $0.removedFields += counts.first ?? 0
            }
        case .fenced(let reason, _): throw Stopped(description: "bucket \(bucket.tag): \(reason.sentence)")
        case .unreadable: throw Stopped(description: "bucket \(bucket.tag) answered something unreadable")
        }
    }
}
