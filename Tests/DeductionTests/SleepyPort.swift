import Inventory
import Redis
import Synchronization

/// A machine that sleeps: its clock jumps, and nothing of the program ran meanwhile.
final class Sleep: SaleClock.Source {
    private struct State {
        var offset = Duration.zero
        var next: Duration?
        var meanwhile: @Sendable () async -> Void = {}
    }
    private let state = Mutex(State())

    var now: ContinuousClock.Instant { .now + state.withLock { $0.offset } }
    var unixMilliseconds: UInt64 { WallClock.milliseconds }

    func sleep(until deadline: ContinuousClock.Instant) async throws {
        try await ContinuousClock().sleep(until: deadline - state.withLock { $0.offset })
    }

    /// Sleeps now.
    func pass(_ span: Duration) { state.withLock { $0.offset += span } }

    /// Sleeps once, before the next answer of Redis to a deduction is looked at.
    func set(beforeNextAnswer span: Duration, _ meanwhile: @escaping @Sendable () async -> Void = {}) {
        state.withLock {
            $0.next = span
            $0.meanwhile = meanwhile
        }
    }

    /// What to do in the sleep that is due now, if one is.
    func begin() -> (@Sendable () async -> Void)? {
        state.withLock { state in
            guard let span = state.next else { return nil }
            state.next = nil
            let meanwhile = state.meanwhile
            return { [self] in
                await meanwhile()
                self.state.withLock { $0.offset += span }
            }
        }
    }
}

/// Redis, whose answers to deductions may find the program asleep.
struct SleepyPort: RedisPort {
    let base: any RedisPort
    let sleep: Sleep
    let deduct: String

    var isCluster: Bool { base.isCluster }
    var status: [RedisNodeStatus] { base.status }
    func master(ofSlot slot: Int) -> RedisAddress? { base.master(ofSlot: slot) }

    // Real commands keep to the machine's time.
    private var soon: ContinuousClock.Instant { .now + .seconds(2) }

    func send(
        slot: Int, command: RedisCommand, deadline: ContinuousClock.Instant, completion: @escaping Completion
    ) {
        base.send(slot: slot, command: command, deadline: soon, completion: completion)
    }

    func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        base.evaluate(script, call, slot: slot, deadline: soon) { result in
            guard script.sha == deduct, let nap = sleep.begin() else { return completion(result) }
            Task {
                await nap()
                completion(result)
            }
        }
    }

    func load(_ script: RedisScript) async throws(RedisError) -> LoadedScript { try await base.load(script) }

    func onEachMaster(
        _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async -> [(address: RedisAddress, result: Result<RedisReply, RedisError>)] {
        await base.onEachMaster(command, deadline: soon)
    }

    func close() { base.close() }
}
