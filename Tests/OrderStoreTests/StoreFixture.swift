import Foundation
import Inventory
import OrderStore
import Synchronization

/// A kind of order store that the rules are run against.
struct StoreKind: Sendable, CustomStringConvertible {
    let description: String
    /// Opens the store that lies in `folder`; a second call opens the same one again.
    let openAt: @Sendable (_ folder: TemporaryFolder, _ clock: SaleClock) throws -> any OrderStore

    func open(_ folder: TemporaryFolder) throws -> any OrderStore { try openAt(folder, .system) }

    static let file = StoreKind(description: "SQLite") {
        try SQLiteOrderStore.open(path: $0.path("orders.db"), clock: $1)
    }
    /// In a memory that other tests have left; one store a folder.
    static let memory = StoreKind(description: "SQLite in memory") {
        try UsedMemory.one(for: $0).makeStore(clock: $1)
    }
    static let all = [file, memory]
}

/// Memories that are used again once the folder of the test that had them is gone.
private struct UsedMemory {
    weak var folder: TemporaryFolder?
    let memory: SQLiteMemory

    private static let all = Mutex<[UsedMemory]>([])

    static func one(for folder: TemporaryFolder) throws -> SQLiteMemory {
        try all.withLock { all in
            let free = all.firstIndex { $0.folder == nil }
            let memory = try free.map { all.remove(at: $0).memory } ?? SQLiteMemory()
            all.append(UsedMemory(folder: folder, memory: memory))
            return memory
        }
    }
}

/// A clock that stands until somebody sets it.
final class HandSetTime: SaleClock.Source {
    private let time = Mutex<Int64>(1_800_000_000_000)
    var milliseconds: Int64 {
        get { time.withLock { $0 } }
        set { time.withLock { $0 = newValue } }
    }
    var unixMilliseconds: UInt64 { UInt64(milliseconds) }
    var now: ContinuousClock.Instant { .now }
    func sleep(until deadline: ContinuousClock.Instant) async throws {
        try await ContinuousClock().sleep(until: deadline)
    }
}

/// A folder that goes away with its owner; in memory where the host has such a place.
final class TemporaryFolder: Sendable {
    let root: String

    init() throws {
        let memory = "/dev/shm"
        let parent =
            FileManager.default.isWritableFile(atPath: memory) ? memory : FileManager.default.temporaryDirectory.path
        root = parent + "/order-store-tests-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func path(_ name: String) -> String { root + "/" + name }
}

/// A small sale: SKUs 1 and 2 in bucket 1, SKU 3 in bucket 2.
struct Fixture {
    let folder: TemporaryFolder
    let store: any OrderStore
    let catalogue: Catalogue
    let bucket = BucketNumber(rawValue: 1)
    let otherBucket = BucketNumber(rawValue: 2)

    let time = HandSetTime()

    init(
        _ kind: StoreKind, durability: Durability = .durable, units: Int64 = 10, limitPerBuyer: Int64? = nil,
        whileFenced: WhileFenced = .tryAgain, timeout: Int64? = nil, latePayments: LatePaymentPolicy = .refund
    ) async throws {
        folder = try TemporaryFolder()
        store = try kind.openAt(folder, SaleClock(time))
        _ = try await store.createSale(
            SaleDraft(
                name: "test", durability: durability,
                skus: [
                    .init(sku: "a", name: "A", tag: "x", allocated: units, limitPerBuyer: limitPerBuyer),
                    .init(sku: "b", name: "B", tag: "x", allocated: units),
                    .init(sku: "c", name: "C", tag: "y", allocated: units),
                ], whileFenced: whileFenced, reservationTimeoutMilliseconds: timeout, latePayments: latePayments))
        catalogue = try await store.catalogue()
    }

    /// Flow number `number`; flows grow with their number.
    static func flow(_ number: Int) -> FlowID {
        FlowID(high: UInt64(number) << 16 | 0x7000, low: 0x8000_0000_0000_0000)
    }

    func order(_ number: Int, _ lines: [(Int32, Int32)]) throws -> Order {
        try Order(
            flow: Self.flow(number),
            lines: lines.map { OrderLine(sku: SKUNumber(rawValue: $0.0), quantity: $0.1) }, catalogue: catalogue)
    }

    func order(_ number: Int, sku: Int32 = 1, quantity: Int32 = 1) throws -> Order {
        try order(number, [(sku, quantity)])
    }

    /// Claims, folds and opens a bucket.
    func open(_ bucket: BucketNumber, in store: (any OrderStore)? = nil) async throws -> Epoch {
        let store = store ?? self.store
        let epoch = try await store.claimEpoch(bucket: bucket, above: .none, by: "test")
        _ = try await store.fold(bucket: bucket, claim: epoch)
        _ = try await store.markOpened(bucket: bucket, claim: epoch)
        return epoch
    }

    /// Commits one entry of bucket 1 and tells its result in words.
    @discardableResult
    func settle(
        _ epoch: Epoch, _ n: Int64, _ action: EntrySettlement.Action, claim: Epoch? = nil,
        bucket: BucketNumber = BucketNumber(rawValue: 1)
    ) async throws -> String {
        let entry = EntrySettlement(bucket: bucket, id: OutboxID(epoch: epoch, n: n), action: action)
        return try await store.commit(CommitBatch(entries: [entry], claim: claim)).entries[0].words
    }

    func pay(_ order: Order, succeeded: Bool = true) async throws -> PaymentResult {
        try await store.commit(CommitBatch(payments: [Payment(order: order, succeeded: succeeded)])).payments[0]
    }

    func counters(_ sku: Int32 = 1) async throws -> SKUCounters {
        try await store.skuCounters().first { $0.sku.rawValue == sku }!
    }

    func drained(_ bucket: Int32 = 1) async throws -> String {
        try await store.buckets().first { $0.bucket.rawValue == bucket }!.drainedThrough.description
    }

    func pendingFlows() async throws -> [FlowID] {
        try await store.pendingGiveBacks(limit: 1_000).map(\.order.flow)
    }

    /// What Redis took of a SKU up to an id, as movements tell.
    func taken(_ epoch: Epoch, through n: Int64, sku: Int32 = 1) async throws -> Int64? {
        try await store.foldForCut(bucket: bucket, through: OutboxID(epoch: epoch, n: n))?[SKUNumber(rawValue: sku)]?
            .taken
    }
}

extension EntryResult {
    /// The result as text that can be compared.
    var words: String {
        func list(_ exceptions: [FlowID: OrderSettlement]) -> String {
            exceptions.sorted { $0.key < $1.key }.map { " \($0.key.milliseconds):\($0.value)" }.joined()
        }
        return switch self {
        case .settled(let exceptions): "settled" + list(exceptions)
        case .already(let exceptions): "already" + list(exceptions)
        case .stale: "stale"
        }
    }
}

extension DuplicateResult {
    var words: String {
        switch self {
        case .settled(let settlement): "settled \(settlement)"
        case .stale: "stale"
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed everywhere.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
