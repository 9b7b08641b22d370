/// The wall clock of somebody who does not believe it at once when it jumps ahead, as a value.
///
/// Deadlines are wall time, since they must mean the same to every process. A clock that is set forward must not end at one stroke
/// what was promised to last longer. So a jump ahead is believed only after `hold`: by then whatever was promised before it has had
/// its time. What is promised after the jump ends late by at most as long. A clock that is set back is believed at once.
///
/// The first reading is no better than any other: the clock may have jumped a moment before. So the beginning is the latest moment that
/// is known from elsewhere, and what the wall clock says beyond it is a jump.
struct CalmTime {
    /// How far a clock may run ahead of the other between two looks and be called the same.
    static let toleranceMilliseconds: Int64 = 1_000

    private var believed: (milliseconds: Int64, at: ContinuousClock.Instant)?
    private var aheadSince: ContinuousClock.Instant?
    /// By how much the wall clock is ahead of what is believed; 0 while it is believed.
    private(set) var aheadMilliseconds: Int64 = 0

    /// Whether there is a beginning yet.
    var hasBegun: Bool { believed != nil }

    /// What to take for the time, in Unix milliseconds; `nil` before there is a beginning.
    ///
    /// - Parameters:
    ///   - wall: what the wall clock says, in Unix milliseconds.
    ///   - now: the clock that nobody sets, read with it.
    ///   - hold: how long a jump is not believed.
    ///   - known: a moment that has surely been, in Unix milliseconds, where one is known; only the first one counts.
    mutating func milliseconds(
        wall: Int64, now: ContinuousClock.Instant, hold: Duration, known: Int64? = nil
    ) -> Int64? {
        guard let before = believed ?? known.map({ (milliseconds: min(wall, $0), at: now) }) else { return nil }
        let passed = (now - before.at).components
        let expected = before.milliseconds + passed.seconds * 1_000 + passed.attoseconds / 1_000_000_000_000_000
        if wall > expected + Self.toleranceMilliseconds, now - (aheadSince ?? now) < hold {
            aheadSince = aheadSince ?? now
            aheadMilliseconds = wall - expected
            believed = (expected, now)
            return expected
        }
        aheadSince = nil
        aheadMilliseconds = 0
        believed = (wall, now)
        return wall
    }
}
