import Synchronization

/// Runs all tasks of one simulated world on the thread that calls `run`, in an order drawn from a seed, under a clock that
/// moves only when nobody has anything left to do.
///
/// A task started with this executor as its preference hands it down to every structured child, so production code runs here
/// unchanged: same seed, same order, same result, on any machine. Unstructured tasks would escape it; production code that is
/// simulated has none.
public final class SimulationExecutor: TaskExecutor {
    /// Why the world stands still.
    public enum Ending: Sendable, Hashable {
        case finished
        /// Somebody waits for what nobody will ever do.
        case stuck
        /// `stepsMax` jobs ran.
        case tooLong
    }

    /// Names a timer, for taking it back.
    public struct TimerID: Sendable { fileprivate let timer: SimulatedTimer }

    private struct State {
        var ready: [UnownedJob] = []
        var timers = TimerQueue()
        var nextSequence: UInt64 = 0
        var now: WorldTime = 0
        var random: SeededRandom
        var steps = 0
        var isFinished = false
        /// FNV-1a over every choice and note, in order: two runs of one seed agree on it.
        var trace: UInt64 = 0xcbf2_9ce4_8422_2325

        mutating func note(_ value: UInt64) { trace = (trace ^ value) &* 0x100_0000_01b3 }
    }

    /// The instant at which every world begins.
    public let start: ContinuousClock.Instant
    /// Milliseconds since 1970 at which every world begins: 2026-11-27T20:00:00Z.
    public static let startUnixMilliseconds: UInt64 = 1_795_809_600_000
    private let state: Mutex<State>

    public init(seed: UInt64) {
        start = ContinuousClock.now
        state = Mutex(State(random: SeededRandom(seed: seed)))
    }

    // MARK: Jobs

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.ready.append(job) }
    }

    /// Runs `body` and everything it starts, to its end. Blocks the calling thread, on which all of it happens.
    ///
    /// - Parameter stepsMax: jobs and timers after which the world is given up.
    public func run(stepsMax: Int, _ body: @escaping @Sendable () async -> Void) -> Ending {
        Task(executorPreference: self) {
            await body()
            self.state.withLock { $0.isFinished = true }
        }
        let executor = asUnownedTaskExecutor()
        while true {
            switch nextStep(stepsMax) {
            case .job(let job): job.runSynchronously(on: executor)
            case .action(let action): action()
            case .ended(let ending): return ending
            }
        }
    }

    private enum Step {
        case job(UnownedJob)
        case action(@Sendable () -> Void)
        case ended(Ending)
    }

    private func nextStep(_ stepsMax: Int) -> Step {
        state.withLock { state in
            if state.isFinished { return .ended(.finished) }
            state.steps += 1
            if state.steps > stepsMax { return .ended(.tooLong) }
            let count = state.ready.count
            if count > 0 {
                let choice = count == 1 ? 0 : Int(state.random.next() % UInt64(count))
                if count > 1 { state.note(UInt64(choice) << 32 | UInt64(count)) }
                state.ready.swapAt(choice, count - 1)
                return .job(state.ready.removeLast())
            }
            while let entry = state.timers.pop() {
                guard let action = entry.timer.action else { continue }
                entry.timer.action = nil
                if entry.at > state.now {
                    state.note(UInt64(truncatingIfNeeded: (entry.at - state.now) % 1_000_000_000_000_000_000))
                    state.now = entry.at
                }
                return .action(action)
            }
            return .ended(.stuck)
        }
    }

    /// Jobs and timers that ran.
    public var steps: Int { state.withLock { $0.steps } }

    /// Mixes something that happened into the trace.
    public func note(_ value: UInt64) { state.withLock { $0.note(value) } }
    /// A digest of everything that was decided so far.
    public var trace: UInt64 { state.withLock { $0.trace } }

    // MARK: Time

    public var now: ContinuousClock.Instant {
        start.advanced(by: Duration(attoseconds: state.withLock { $0.now }))
    }

    /// Microseconds since the world began.
    var elapsedMicroseconds: Int64 { Int64(state.withLock { $0.now } / 1_000_000_000_000) }

    /// Calls `action` on the world's thread once the clock reads `at`.
    @discardableResult
    public func schedule(at: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void) -> TimerID {
        let at = start.duration(to: at).attoseconds
        let timer = SimulatedTimer(action)
        state.withLock { state in
            state.timers.push(.init(at: max(at, state.now), sequence: state.nextSequence, timer: timer))
            state.nextSequence += 1
        }
        return TimerID(timer: timer)
    }

    /// Takes a timer back; false if it went off before.
    @discardableResult
    public func cancel(_ id: TimerID) -> Bool {
        let action = state.withLock { _ in
            defer { id.timer.action = nil }
            return id.timer.action
        }
        return action != nil
    }

    /// Suspends the task until the clock reads `deadline`.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func sleep(until deadline: ContinuousClock.Instant) async throws {
        let sleeper = Sleeper()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
                sleeper.begin(continuation)
                sleeper.timer.withLock { $0 = schedule(at: deadline) { sleeper.end(nil) } }
            }
        } onCancel: {
            if let timer = sleeper.timer.withLock({ $0 }) { cancel(timer) }
            sleeper.end(CancellationError())
        }
    }
}

/// One suspended sleep: woken once, by its timer or by cancellation.
private final class Sleeper: Sendable {
    let timer = Mutex<SimulationExecutor.TimerID?>(nil)
    private let continuation = Mutex<CheckedContinuation<Void, any Error>?>(nil)

    func begin(_ continuation: CheckedContinuation<Void, any Error>) {
        self.continuation.withLock { $0 = continuation }
    }

    func end(_ error: (any Error)?) {
        let waiting = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        if let error { waiting?.resume(throwing: error) } else { waiting?.resume() }
    }
}
