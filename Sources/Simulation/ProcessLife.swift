import Inventory
import Synchronization

/// What the world may do to one simulated process: kill it at any step, stop and continue it, turn its wall clock.
///
/// The process itself is production code; it meets its fate at its ports and its clock, which ask here.
final class ProcessLife: Sendable {
    private struct State {
        var isAlive = true
        var stoppedUntil: ContinuousClock.Instant
        /// Port calls that it began or ended; each is a step between which it may die.
        var steps = 0
        var diesAtStep: Int?
        var wallOffsetMilliseconds: Int64 = 0
        var mourners: [@Sendable () -> Void] = []
    }

    let name: String
    let executor: SimulationExecutor
    private let state: Mutex<State>

    init(name: String, executor: SimulationExecutor) {
        self.name = name
        self.executor = executor
        state = Mutex(State(stoppedUntil: executor.start))
    }

    var isAlive: Bool { state.withLock { $0.isAlive } }
    var now: ContinuousClock.Instant { executor.now }

    /// Ends it at once. What it sent may still arrive; what it is sent goes nowhere.
    func kill() {
        let mourners = state.withLock { state in
            guard state.isAlive else { return [@Sendable () -> Void]() }
            state.isAlive = false
            defer { state.mourners = [] }
            return state.mourners
        }
        for tell in mourners { tell() }
    }

    /// Calls `tell` when it dies, at once if it is dead.
    func onDeath(_ tell: @escaping @Sendable () -> Void) {
        let isAlive = state.withLock { state in
            if state.isAlive { state.mourners.append(tell) }
            return state.isAlive
        }
        if !isAlive { tell() }
    }

    /// Lets it die at the `count`-th step from now.
    func die(inSteps count: Int) { state.withLock { $0.diesAtStep = $0.steps + count } }

    /// One step of the process at its ports. False: it is dead, and the step is not taken.
    func step() -> Bool {
        let isDue = state.withLock { state in
            state.steps += 1
            return state.isAlive && state.diesAtStep.map { state.steps >= $0 } == true
        }
        if isDue { kill() }
        return isAlive
    }

    /// Stops it (as SIGSTOP does) until then.
    func stop(until instant: ContinuousClock.Instant) {
        state.withLock { $0.stoppedUntil = max($0.stoppedUntil, instant) }
    }

    /// Nothing more is done to it: it goes on, and does not die of what was planned.
    func heal() {
        state.withLock { state in
            state.stoppedUntil = executor.start
            state.diesAtStep = nil
        }
    }

    /// When something due at `instant` reaches the process: not while it is stopped.
    func earliest(_ instant: ContinuousClock.Instant) -> ContinuousClock.Instant {
        state.withLock { max(instant, $0.stoppedUntil) }
    }

    /// Calls `action` at `instant`, or once it is no longer stopped.
    ///
    /// - Returns: the timer, for taking it back; a process that was stopped meanwhile has another one.
    @discardableResult
    func deliver(
        at instant: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void
    ) -> SimulationExecutor.TimerID {
        executor.schedule(at: earliest(instant)) { [self] in
            if earliest(executor.now) > executor.now {
                deliver(at: executor.now, action)
            } else {
                action()
            }
        }
    }

    /// Suspends the caller until then, whether its task is cancelled or not.
    func wait(until instant: ContinuousClock.Instant) async {
        await withCheckedContinuation { continuation in deliver(at: instant) { continuation.resume() } }
    }

    /// By how much its wall clock is off.
    var wallOffsetMilliseconds: Int64 { state.withLock { $0.wallOffsetMilliseconds } }
    func turnWallClock(byMilliseconds offset: Int64) { state.withLock { $0.wallOffsetMilliseconds += offset } }

    var clock: SaleClock { SaleClock(Source(life: self)) }

    private struct Source: SaleClock.Source {
        let life: ProcessLife

        var now: ContinuousClock.Instant { life.executor.now }

        var unixMilliseconds: UInt64 {
            UInt64(Int64(life.executor.unixMilliseconds) + life.wallOffsetMilliseconds)
        }

        func sleep(until deadline: ContinuousClock.Instant) async throws {
            try await life.executor.sleep(until: deadline)
            while life.earliest(now) > now { try await life.executor.sleep(until: life.earliest(now)) }
        }
    }
}
