public import Inventory
public import OrderStore
import Synchronization
public import Telemetry

/// Ends reservations whose payment did not come in time: in SQL, in bounded steps; the give-back worker then tells Redis.
///
/// Several may run beside each other: each row is moved by compare and set, so one of them ends it.
public final class ReservationSweeper: Sendable {
    public struct Configuration: Sendable {
        /// Pause between two looks when nothing is due.
        public var interval = Duration.milliseconds(250)
        /// Orders in one transaction, about.
        public var ordersMax = 2_048
        /// The longest pause after SQL refused.
        public var pauseMax = Duration.seconds(5)
        /// How long a wall clock that jumped ahead is not believed: as long as a reservation lasts.
        public var jumpHold = Duration.seconds(900)
        public init() {}
    }

    public struct Status: Sendable, Hashable {
        /// Reservations ended since start.
        public var expired: Int64 = 0
        /// By how much the wall clock has jumped ahead and is not believed yet; 0 while all is well.
        public var clockAheadMilliseconds: Int64 = 0
        /// What SQL last refused; `nil` while it works.
        public var lastError: String?
    }

    /// From a reservation's deadline to its end in SQL.
    public let lag = LatencyRecorder()
    private let store: any OrderStore
    private let configuration: Configuration
    private let clock: SaleClock
    private let state = Mutex(Status())
    private let time = Mutex(CalmTime())

    public init(
        store: any OrderStore, configuration: Configuration = Configuration(), clock: SaleClock = .system
    ) {
        self.store = store
        self.configuration = configuration
        self.clock = clock
    }

    public var status: Status { state.withLock { $0 } }

    /// Sweeps until cancelled.
    public func run() async {
        var pause = configuration.interval
        while !Task.isCancelled {
            do {
                let isDone = try await sweep()
                pause = configuration.interval
                if !isDone { continue }
            } catch {
                state.withLock { $0.lastError = "\(error)" }
                pause = min(pause * 2, configuration.pauseMax)
            }
            try? await clock.sleep(for: pause)
        }
    }

    /// Ends everything that is due, once; returns how many.
    public func sweepAll() async throws -> Int64 {
        let before = status.expired
        while try await !sweep() {}
        return status.expired - before
    }

    /// One bounded step. Returns whether nothing is due any more.
    func sweep() async throws -> Bool {
        let known = time.withLock(\.hasBegun) ? nil : try await store.lastReservationOrSweep()
        let (read, ahead) = calmTime(known: known)
        // Where nothing was ever reserved, nothing is due.
        guard let due = read else { return true }
        let sweep = try await store.expire(now: due, limit: configuration.ordersMax)
        let now = calmTime().milliseconds ?? due
        for expired in sweep.expired { lag.record(.milliseconds(max(0, now - expired.deadline))) }
        state.withLock {
            $0.expired += Int64(sweep.expired.count)
            $0.clockAheadMilliseconds = ahead
            $0.lastError = nil
        }
        return sweep.isDone
    }

    private func calmTime(known: Int64? = nil) -> (milliseconds: Int64?, aheadMilliseconds: Int64) {
        time.withLock {
            let milliseconds = $0.milliseconds(
                wall: Int64(clock.unixMilliseconds), now: clock.now, hold: configuration.jumpHold, known: known)
            return (milliseconds, $0.aheadMilliseconds)
        }
    }
}
