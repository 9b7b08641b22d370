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
    private typealias Counts = Histogram<UInt32>

    private struct State {
        var counts = Counts(
            lowestDiscernibleValue: 1, highestTrackableValue: microsecondsMax, numberOfSignificantValueDigits: .two)
        /// What there was at moments past, oldest first: what came since is the difference. The first is the only one that may be older
        /// than the window.
        var marks: [(at: ContinuousClock.Instant, counts: Counts)] = []
        /// What was answered last, and when.
        var answer: (at: ContinuousClock.Instant, summary: Summary)?
    }

    private let state = Mutex(State())

    public init() {}

    /// Records `count` equal latencies; longer than 60 s counts as 60 s.
    public func record(_ duration: Duration, count: Int = 1) {
        let (seconds, attoseconds) = duration.components
        let microseconds = UInt64(max(0, seconds)) * 1_000_000 + UInt64(max(0, attoseconds) / 1_000_000_000_000)
        state.withLock {
            _ = $0.counts.record(min(max(microseconds, 1), Self.microsecondsMax), count: UInt32(clamping: count))
        }
    }

    /// All that was ever recorded.
    public var summary: Summary {
        state.withLock { state in
            Summary(
                count: state.counts.totalCount, p50Milliseconds: Double(state.counts.valueAtPercentile(50)) / 1_000,
                p99Milliseconds: Double(state.counts.valueAtPercentile(99)) / 1_000,
                maxMilliseconds: Double(state.counts.max) / 1_000)
        }
    }

    // MARK: The last minute

    /// How far back ``recent(now:)`` looks, to within ``markEvery``.
    public static let window = Duration.seconds(60)
    private static let markEvery = Duration.seconds(5)
    private static let answerAgainAfter = Duration.milliseconds(500)

    /// What was recorded in the last 60 to 65 s, as far as it was asked for meanwhile: recording costs nothing more, the window is the
    /// difference between now and what was there then. So a slow minute is forgotten a minute later.
    /// - Parameter now: never earlier than the time before.
    public func recent(now: ContinuousClock.Instant) -> Summary {
        state.withLock { state in
            if let answer = state.answer, now - answer.at < Self.answerAgainAfter { return answer.summary }
            while state.marks.count > 1, now - state.marks[1].at >= Self.window { state.marks.removeFirst() }
            let before = state.marks.first.flatMap { now - $0.at >= Self.window ? $0.counts : nil }
            let summary = Self.difference(state.counts, before)
            if state.marks.last.map({ now - $0.at >= Self.markEvery }) ?? true {
                state.marks.append((now, state.counts))
            }
            state.answer = (now, summary)
            return summary
        }
    }

    private static func difference(_ counts: Counts, _ before: Counts?) -> Summary {
        let total = counts.totalCount - (before?.totalCount ?? 0)
        guard total > 0 else { return Summary(count: 0, p50Milliseconds: 0, p99Milliseconds: 0, maxMilliseconds: 0) }
        // The smallest value that so many do not exceed.
        let (half, most) = ((total + 1) / 2, (total * 99 + 99) / 100)
        var (seen, p50, p99, largest): (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        for step in counts.recordedValues() {
            let count = UInt64(step.count) - UInt64(before?.countForValue(step.value) ?? 0)
            guard count > 0 else { continue }
            if seen < half { p50 = step.value }
            if seen < most { p99 = step.value }
            largest = step.value
            seen += count
        }
        return Summary(
            count: total, p50Milliseconds: Double(p50) / 1_000, p99Milliseconds: Double(p99) / 1_000,
            maxMilliseconds: Double(largest) / 1_000)
    }
}
