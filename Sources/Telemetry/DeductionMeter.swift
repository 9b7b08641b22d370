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

    public init() {}

    public func add(_ change: (inout Totals) -> Void) { totals.withLock { change(&$0) } }
    public var snapshot: Totals { totals.withLock { $0 } }
}
