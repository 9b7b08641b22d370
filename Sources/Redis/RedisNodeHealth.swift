/// How a connection to one server does.
public struct RedisNodeHealth: Sendable {
    /// Whether commands flow.
    public var isUp = false
    /// Since when it has been up, or down.
    public var since: ContinuousClock.Instant
    /// Why it is down, or why it last was; one line.
    public var lastError: String?
    /// Commands answered since the connection object was made.
    public var calls: UInt64 = 0
    /// Of these, answered by an error, and those that ended without an answer.
    public var errors: UInt64 = 0
    public var bytesOut: UInt64 = 0
    public var bytesIn: UInt64 = 0
    /// Commands that wait for an answer or to be sent.
    public var inFlight = 0
    /// Over the last full second.
    public var callsPerSecond = 0.0
    /// From taking a command off the queue to reading its answer, over the last full second; within 12 %.
    public var p50 = Duration.zero
    public var p99 = Duration.zero
}

/// Calls and their latencies in one window of time.
struct LatencyWindow {
    static let length = Duration.seconds(1)

    private(set) var start: ContinuousClock.Instant
    private(set) var count = 0
    /// Four buckets an octave of nanoseconds.
    private var buckets = [UInt32](repeating: 0, count: 256)

    init(start: ContinuousClock.Instant) { self.start = start }

    var end: ContinuousClock.Instant { start + Self.length }

    mutating func record(_ latency: Duration) {
        count += 1
        buckets[Self.bucket(latency)] += 1
    }

    mutating func restart(at instant: ContinuousClock.Instant) {
        start = instant
        guard count > 0 else { return }
        count = 0
        for index in buckets.indices { buckets[index] = 0 }
    }

    /// The middle of the bucket below which `share` (0 … 1) of the calls lie; zero without calls.
    func quantile(_ share: Double) -> Duration {
        var remaining = Int((Double(count) * share).rounded(.up))
        guard remaining > 0 else { return .zero }
        for (index, hits) in buckets.enumerated() {
            remaining -= Int(hits)
            if remaining <= 0 { return Self.middle(of: index) }
        }
        return .zero
    }

    private static func bucket(_ latency: Duration) -> Int {
        let parts = latency.components
        let nanoseconds = UInt64(
            max(4, min(parts.seconds, 1 << 30) * 1_000_000_000 + parts.attoseconds / 1_000_000_000))
        let octave = 63 - nanoseconds.leadingZeroBitCount
        return octave * 4 + Int((nanoseconds >> UInt64(octave - 2)) & 3)
    }

    private static func middle(of bucket: Int) -> Duration {
        let width = Int64(1) << Int64(max(0, bucket / 4 - 2))
        return .nanoseconds(width * Int64(4 + bucket % 4) + width / 2)
    }
}
