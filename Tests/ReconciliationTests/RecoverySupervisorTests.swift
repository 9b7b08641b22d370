import Deduction
import Inventory
import OrderStore
import SaleRig
import Synchronization
import Testing

@testable import Reconciliation

/// Who recovers what is fenced: again and again, not too often, and once more where it is fenced anew.
@Suite("The recovery supervisor", .timeLimit(.minutes(5)))
struct RecoverySupervisorTests {
    /// A clock that notes how long somebody wants to sleep, and does not let them.
    private final class Impatient: SaleClock.Source {
        private let state = Mutex((offset: Duration.zero, pauses: [Duration]()))
        /// Sleeps of a supervisor that looks for work.
        static let idle = Duration.milliseconds(10)
        var now: ContinuousClock.Instant { .now + state.withLock { $0.offset } }
        var unixMilliseconds: UInt64 { WallClock.milliseconds }
        var pauses: [Duration] { state.withLock { $0.pauses } }
        func sleep(until deadline: ContinuousClock.Instant) async throws {
            let pause = deadline - now
            if pause > Self.idle {
                state.withLock {
                    $0.offset += pause
                    $0.pauses.append(pause)
                }
            }
            try await ContinuousClock().sleep(for: .milliseconds(1))
        }
    }

    /// Refuses to fold, a number of times, each time in other numbers.
    private struct RefusingStore: OrderStoreDecorator {
        let base: any OrderStore
        let left: Counter
        func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
            guard left.takeOne() else { return try await base.fold(bucket: bucket, claim: claim) }
            throw OrderStoreError(.refused, "the disk is full in epoch \(claim.rawValue)")
        }
    }

    private final class Counter: Sendable {
        private let left: Mutex<Int>
        init(_ count: Int) { left = Mutex(count) }
        func takeOne() -> Bool {
            left.withLock {
                $0 -= 1
                return $0 >= 0
            }
        }
    }

    private final class Failures: Sendable {
        private let list = Mutex<[String]>([])
        var texts: [String] { list.withLock { $0 } }
        func hear(_ event: RecoverySupervisor.Event) {
            if case .failed(_, let text) = event { list.withLock { $0.append(text) } }
        }
    }

    @Test("tries what is refused again and again ever more seldom, and says so without a flood")
    func refusedAgainAndAgain() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            try await rig.redis("DEL", rig.keys.stocks[0])
            let recoverer = Recoverer(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts,
                store: RefusingStore(base: rig.store, left: Counter(60)), claimant: "stubborn")
            let (clock, failures) = (Impatient(), Failures())
            let supervisor = RecoverySupervisor(recoverer: recoverer, clock: SaleClock(clock)) { failures.hear($0) }
            let epoch = try await rig.record.epoch
            supervisor.report(rig.bucket.number, epoch: epoch, reason: .missing)
            try await SaleRig.running([{ await supervisor.run() }]) {
                try await eventually("it succeeds", within: .seconds(30)) { supervisor.status.recoveries == 1 }
            }
            #expect(clock.pauses.count == 60)
            #expect(zip(clock.pauses, clock.pauses.dropFirst()).allSatisfy { $1 > $0 * 0.9 })
            #expect(clock.pauses.suffix(40).allSatisfy { $0 > .milliseconds(490) && $0 < .milliseconds(510) })
            // 60 failures in 28 s: the first, and one every ten seconds.
            #expect(failures.texts.count == 3, "\(failures.texts)")
            #expect(failures.texts.last?.contains("attempt ") == true)
            #expect(supervisor.status.fenced.isEmpty && supervisor.status.fences == 1)
        }
    }

    @Test("hears a fence of the epoch that it has just opened, though it has not said yet that it is done")
    func fencedAnewAtOnce() async throws {
        try await SaleRig.with(units: [10], port: DeafPort.between) { rig async throws in
            let port = try #require(rig.cluster as? DeafPort)
            let supervisor = RecoverySupervisor(recoverer: rig.recoverer)
            let (bucket, old) = (rig.bucket.number, try await rig.record.epoch)
            let later = (0...2).map { Epoch(rawValue: old.rawValue + $0) }
            let first = Counter(1)
            port.onAnswer { script in
                guard script == "open", first.takeOne() else { return }
                // An engine sells from it at once, and meets a fence.
                supervisor.report(bucket, epoch: later[1], n: 3, reason: .noControl)
                // Nobody else's word begins another recovery.
                supervisor.report(bucket, epoch: later[0], n: 9, reason: .noControl)
                supervisor.report(bucket, epoch: later[2], reason: .recovering)
                supervisor.report(bucket, epoch: later[2], reason: .unbalanced, finding: "a comparison")
            }
            supervisor.report(bucket, epoch: old, reason: .noControl)
            try await SaleRig.running([{ await supervisor.run() }]) {
                try await eventually("it is recovered twice") {
                    supervisor.status.recoveries == 2 && supervisor.status.fenced.isEmpty
                }
            }
            #expect(try await rig.record.epoch == later[2])
            #expect(supervisor.status.fences == 2)
        }
    }

    @Test("hears a fence under somebody else's epoch after that one overtook it")
    func fencedAfterOvertaking() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let (bucket, old) = (rig.bucket.number, try await rig.record.epoch)
            try await rig.redis("DEL", rig.keys.stocks[0])
            let overtaken = OvertakingStore(base: rig.store, left: Counter(1))
            let victim = RecoverySupervisor(
                recoverer: Recoverer(
                    catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: overtaken,
                    claimant: "overtaken"))
            overtaken.tell { claim in victim.report(bucket, epoch: claim, n: 1, reason: .noControl) }
            victim.report(bucket, epoch: old, reason: .missing)
            try await SaleRig.running([{ await victim.run() }]) {
                try await eventually("it is recovered") { victim.status.recoveries == 1 }
            }
            #expect(try await rig.stock() == 10)
        }
    }

    /// Another claims the bucket before the fold of this one, opens it, and its engine meets a fence.
    private final class OvertakingStore: OrderStoreDecorator {
        let base: any OrderStore
        private let left: Counter
        private let onOvertaken = Mutex<(@Sendable (Epoch) -> Void)?>(nil)
        init(base: any OrderStore, left: Counter) {
            self.base = base
            self.left = left
        }
        func tell(_ body: @escaping @Sendable (Epoch) -> Void) { onOvertaken.withLock { $0 = body } }
        func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
            if left.takeOne() {
                let other = try await base.claimEpoch(bucket: bucket, above: claim, by: "another")
                onOvertaken.withLock { $0 }?(other)
            }
            return try await base.fold(bucket: bucket, claim: claim)
        }
    }

    @Test("a failure is told once in other numbers, then every ten seconds with how long it goes on")
    func repeatedFailure() {
        var failure = RepeatedFailure()
        let start = ContinuousClock.now
        #expect(failure.toTell("epoch 7: no", now: start) == "epoch 7: no")
        #expect(failure.toTell("epoch 8: no", now: start + .seconds(1)) == nil)
        #expect(failure.toTell("SQL is out", now: start + .seconds(2)) == "SQL is out (attempt 3, for 2 s)")
        #expect(failure.toTell("epoch 9: no", now: start + .seconds(3)) == nil)
        #expect(failure.toTell("epoch 9: no", now: start + .seconds(12)) == "epoch 9: no (attempt 5, for 12 s)")
    }
}
