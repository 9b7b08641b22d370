import Redis
import Synchronization

/// How badly things go just now for everybody: what the nemesis turns up and healing turns down.
struct Weather: Sendable {
    /// One way between a process and a server.
    var linkDelay: ClosedRange<Duration> = .microseconds(50) ... .microseconds(400)
    /// Probability that a message is late by `linkSpike` more.
    var linkSpikeChance = 0.0
    var linkSpike: ClosedRange<Duration> = .milliseconds(5) ... .milliseconds(400)
    /// Half of the time that SQL takes for a call.
    var storeDelay: ClosedRange<Duration> = .microseconds(100) ... .microseconds(1_500)
    var storeSpikeChance = 0.0
    var storeSpike: ClosedRange<Duration> = .milliseconds(20) ... .milliseconds(1_500)
    /// Probability that SQL refuses a call before it did anything.
    var storeRefuses = 0.0
    /// Probability that SQL commits a call and its answer is lost.
    var storeLosesAnswer = 0.0
    /// SQL answers nobody.
    var storeIsDown = false
}

/// The weather, and the chance by which it falls on single calls.
final class Sky: Sendable {
    private struct State {
        var weather = Weather()
        var random: SeededRandom
        var faults = 0
        var lateUntil: ContinuousClock.Instant?
    }
    private let state: Mutex<State>

    init(random: SeededRandom) { state = Mutex(State(random: random)) }

    var weather: Weather { state.withLock { $0.weather } }
    func change(_ change: (inout Weather) -> Void) { state.withLock { change(&$0.weather) } }

    /// When the last of the calls that lie on broken connections arrives; none was late so far: `nil`.
    var lateUntil: ContinuousClock.Instant? { state.withLock { $0.lateUntil } }
    func noteLate(until arrival: ContinuousClock.Instant) {
        state.withLock { $0.lateUntil = max($0.lateUntil ?? arrival, arrival) }
    }

    func linkDelay() -> Duration {
        state.withLock { state in
            var delay = state.random.duration(
                state.weather.linkDelay.lowerBound, state.weather.linkDelay.upperBound)
            if state.weather.linkSpikeChance > 0, state.random.chance(state.weather.linkSpikeChance) {
                state.faults += 1
                delay += state.random.duration(
                    state.weather.linkSpike.lowerBound, state.weather.linkSpike.upperBound)
            }
            return delay
        }
    }

    func storeDelay() -> Duration {
        state.withLock { state in
            var delay = state.random.duration(
                state.weather.storeDelay.lowerBound, state.weather.storeDelay.upperBound)
            if state.weather.storeSpikeChance > 0, state.random.chance(state.weather.storeSpikeChance) {
                state.faults += 1
                delay += state.random.duration(
                    state.weather.storeSpike.lowerBound, state.weather.storeSpike.upperBound)
            }
            return delay
        }
    }

    /// True with this probability, and then counted as a fault.
    func strikes(_ chance: Double) -> Bool {
        guard chance > 0 else { return false }
        return state.withLock { state in
            guard state.random.chance(chance) else { return false }
            state.faults += 1
            return true
        }
    }

    /// A coin that is no fault.
    func coin(_ chance: Double) -> Bool { state.withLock { $0.random.chance(chance) } }
    func duration(_ from: Duration, _ to: Duration) -> Duration { state.withLock { $0.random.duration(from, to) } }

    func countFault() { state.withLock { $0.faults += 1 } }
    var faults: Int { state.withLock { $0.faults } }
}
