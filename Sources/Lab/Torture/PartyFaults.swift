import Glibc
public import Inventory
public import OrderStore
import Synchronization

/// Faults inside a party, which the rig turns on and off from outside: they stand before ports, never in what is tested.
public final class PartyFaults: Sendable {
    private struct State {
        /// Commits in a hundred whose reply is lost.
        var lostCommitPercent = 0
        var wallClockMilliseconds: Int64 = 0
        var random: SplitMix64
    }

    private let state: Mutex<State>

    public init(seed: UInt64) { state = Mutex(State(random: SplitMix64(seed: seed))) }

    /// Sets a fault by its name on the wire: `commit` (percent of lost replies) or `clock` (milliseconds off).
    func set(_ name: Substring, _ value: Int64) {
        state.withLock { state in
            switch name {
            case "commit": state.lostCommitPercent = Int(value)
            case "clock": state.wallClockMilliseconds = value
            default: break
            }
        }
    }

    fileprivate func losesCommit() -> Bool {
        state.withLock { $0.lostCommitPercent > 0 && $0.random.next() % 100 < UInt64($0.lostCommitPercent) }
    }

    fileprivate var wallClockMilliseconds: Int64 { state.withLock { $0.wallClockMilliseconds } }

    /// The machine's clock; its wall clock jumps.
    public var clock: SaleClock { SaleClock(JumpingClock(faults: self)) }

    /// `base`, whose commits may succeed and say that nobody knows.
    public func store(_ base: any OrderStore) -> any OrderStore { ForgetfulStore(base: base, faults: self) }
}

private struct JumpingClock: SaleClock.Source {
    let faults: PartyFaults
    var now: ContinuousClock.Instant { ContinuousClock.now }
    var unixMilliseconds: UInt64 {
        UInt64(max(0, Int64(WallClock.milliseconds) + faults.wallClockMilliseconds))
    }
    func sleep(until deadline: ContinuousClock.Instant) async throws {
        try await ContinuousClock().sleep(until: deadline)
    }
}

private struct ForgetfulStore: OrderStoreDecorator {
    let base: any OrderStore
    let faults: PartyFaults

    private func forgetting<Value>(_ what: String, _ value: Value) throws -> Value {
        guard faults.losesCommit() else { return value }
        throw OrderStoreError(.unknown, "the reply to \(what) was lost; ask again")
    }

    func commit(_ batch: CommitBatch) async throws -> CommitResult {
        try forgetting("a commit", try await base.commit(batch))
    }
    func cancel(_ orders: [Order]) async throws -> [CancelResult] {
        try forgetting("a cancellation", try await base.cancel(orders))
    }
    func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch {
        try forgetting("a claim", try await base.claimEpoch(bucket: bucket, above: above, by: claimant))
    }
    func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
        try forgetting("a fold", try await base.fold(bucket: bucket, claim: claim))
    }
    func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState {
        try forgetting("an opening", try await base.markOpened(bucket: bucket, claim: claim))
    }
}
