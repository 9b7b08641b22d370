public import Inventory
import Synchronization

/// What an engine counts: outcomes by flow, calls, and the time from asking to answer.
public final class DeductionMeter: Sendable {
    public struct Totals: Sendable, Hashable {
        public var acknowledged: Int64 = 0
        public var unknown: Int64 = 0
        public var refused: [Refusal: Int64] = [:]
        public var released: Int64 = 0
        public var calls: Int64 = 0
        public var fences: Int64 = 0
        /// Orders that SQL alone took, while their bucket was fenced.
        public var soldInSQL: Int64 = 0

        public init() {}
        public var refusedTotal: Int64 { refused.values.reduce(0, +) }
    }

    /// From `deduct` to its answer, done orders only.
    public let latency = LatencyRecorder()
    private let totals = Mutex(Totals())
    /// First attempts that were refused without asking Redis, by refusal. Beside the lock: there may be millions a second.
    private let local = LocalCounts()

    public init() {}

    public func add(_ change: (inout Totals) -> Void) { totals.withLock { change(&$0) } }

    /// Counts a first attempt that was refused without asking Redis.
    public func countLocally(_ refusal: Refusal) { local.add(refusal) }

    public var snapshot: Totals {
        var totals = totals.withLock { $0 }
        for (refusal, count) in local.all { totals.refused[refusal, default: 0] += count }
        return totals
    }
}

/// One counter for each of the refusals that an engine can know by itself.
private final class LocalCounts: Sendable {
    private let soldOut = Atomic<Int64>(0)
    private let frozen = Atomic<Int64>(0)
    private let limit = Atomic<Int64>(0)
    private let others = Mutex<[Refusal: Int64]>([:])

    func add(_ refusal: Refusal) {
        switch refusal {
        case .soldOut: soldOut.add(1, ordering: .relaxed)
        case .frozen: frozen.add(1, ordering: .relaxed)
        case .limit: limit.add(1, ordering: .relaxed)
        default: others.withLock { $0[refusal, default: 0] += 1 }
        }
    }

    var all: [(Refusal, Int64)] {
        let few: [(Refusal, Int64)] = [
            (.soldOut, soldOut.load(ordering: .relaxed)), (.frozen, frozen.load(ordering: .relaxed)),
            (.limit, limit.load(ordering: .relaxed)),
        ]
        return few.filter { $0.1 > 0 } + others.withLock { others in others.map { ($0.key, $0.value) } }
    }
}
