internal import Histogram
import Synchronization

/// Latencies of one kind of work, as an HDR histogram (Tene) in microseconds, two significant digits, up to 60 s.
public final class LatencyRecorder: Sendable {
    public struct Summary: Sendable, Hashable {
        public let count: UInt64
        public let p50Milliseconds: Double
        public let p99Milliseconds: Double
        public let maxMilliseconds: Double

        public init(count: UInt64, p50Milliseconds: Double, p99Milliseconds: Double, maxMilliseconds: Double) {
            self.count = count
            self.p50Milliseconds = p50Milliseconds
            self.p99Milliseconds = p99Milliseconds
            self.maxMilliseconds = maxMilliseconds
        }
    }

    private static let microsecondsMax: UInt64 = 60_000_000
    private let histogram = Mutex(
        Histogram<UInt32>(
            lowestDiscernibleValue: 1, highestTrackableValue: microsecondsMax, numberOfSignificantValueDigits: .two))

    public init() {}

    /// Records `count` equal latencies; longer than 60 s counts as 60 s.
    public func record(_ duration: Duration, count: Int = 1) {
        let (seconds, attoseconds) = duration.components
        let microseconds = UInt64(max(0, seconds)) * 1_000_000 + UInt64(max(0, attoseconds) / 1_000_000_000_000)
        histogram.withLock {
            _ = $0.record(min(max(microseconds, 1), Self.microsecondsMax), count: UInt32(clamping: count))
        }
    }

    public var summary: Summary {
        histogram.withLock {
            Summary(
                count: $0.totalCount, p50Milliseconds: Double($0.valueAtPercentile(50)) / 1_000,
                p99Milliseconds: Double($0.valueAtPercentile(99)) / 1_000, maxMilliseconds: Double($0.max) / 1_000)
        }
    }
}
