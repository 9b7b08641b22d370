/// The time by which a sale runs, injected: the machine's, or a simulation's.
///
/// Its instants are those of `ContinuousClock`, which goes on while the machine sleeps (CLOCK_BOOTTIME on Linux): whoever
/// slept through a recovery must know it.
public struct SaleClock: Clock {
    public typealias Instant = ContinuousClock.Instant

    /// A clock that is not the machine's.
    public protocol Source: Sendable {
        var now: ContinuousClock.Instant { get }
        /// Milliseconds since 1970.
        var unixMilliseconds: UInt64 { get }
        /// Throws `CancellationError` if the task is cancelled meanwhile.
        func sleep(until deadline: ContinuousClock.Instant) async throws
    }

    /// `nil`: the machine's clocks, without a detour.
    private let source: (any Source)?
    /// Said apart, for an existential costs more to look into than a clock to read.
    private let isSystem: Bool

    /// The machine's clocks.
    public static let system = SaleClock(source: nil)

    public init(_ source: any Source) { self.init(source: source) }
    private init(source: (any Source)?) {
        self.source = source
        isSystem = source == nil
    }

    public var now: ContinuousClock.Instant { isSystem ? ContinuousClock.now : source!.now }
    /// Milliseconds since 1970: where a moment must mean the same to every process.
    public var unixMilliseconds: UInt64 { isSystem ? WallClock.milliseconds : source!.unixMilliseconds }
    /// Milliseconds since some moment that stays the same while the process lives; they pass as `now` does, and cost less.
    public var milliseconds: UInt64 {
        if isSystem { return WallClock.uptimeMilliseconds }
        return passedMilliseconds
    }
    private var passedMilliseconds: UInt64 {
        guard let source else { return 0 }
        let passed = Self.origin.duration(to: source.now)
        // An injected clock may stand before the machine's: what counts is how its readings differ.
        return UInt64(bitPattern: Int64(passed / .milliseconds(1))) &+ 1 << 40
    }
    private static let origin = ContinuousClock.now
    public var minimumResolution: Duration { .nanoseconds(1) }

    public func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws {
        if let source {
            try await source.sleep(until: deadline)
        } else {
            try await ContinuousClock().sleep(until: deadline, tolerance: tolerance)
        }
    }
}
