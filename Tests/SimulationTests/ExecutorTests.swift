import Synchronization
import Testing

@testable import Simulation

/// What everything else stands on: one thread, one clock, one order a seed.
@Suite struct ExecutorTests {
    /// Tasks that sleep, wait for a callback, and have children; what they did, in order.
    private func world(seed: UInt64) -> (lines: [String], trace: UInt64, ending: SimulationExecutor.Ending) {
        let executor = SimulationExecutor(seed: seed)
        let log = Note<[String]>([])
        @Sendable func note(_ line: String) { log.withLock { $0.append(line) } }
        let ending = executor.run(stepsMax: 100_000) {
            await withDiscardingTaskGroup { group in
                for number in 0..<5 {
                    group.addTask {
                        for _ in 0..<3 {
                            try? await executor.sleep(until: executor.now + .milliseconds(10 + number % 2))
                            note("\(number) slept")
                            let heard: Int = await withCheckedContinuation { continuation in
                                executor.schedule(at: executor.now + .milliseconds(number)) {
                                    continuation.resume(returning: number)
                                }
                            }
                            let children = await withTaskGroup(of: Int.self) { children in
                                for child in 0..<4 { children.addTask { child } }
                                return await children.reduce(into: "") { $0 += "\($1)" }
                            }
                            note("\(heard) heard, then \(children)")
                        }
                    }
                }
            }
        }
        return (log.withLock { $0 }, executor.trace, ending)
    }

    @Test func equalSeedsTakeEqualTurns() {
        let (first, second) = (world(seed: 7), world(seed: 7))
        #expect(first.ending == .finished)
        #expect(first.lines == second.lines)
        #expect(first.trace == second.trace)
        #expect(first.lines.count == 30)
    }

    @Test func otherSeedsTakeOtherTurns() {
        let traces = Set((1...20).map { world(seed: $0).trace })
        #expect(traces.count == 20)
    }

    @Test func timePassesOnlyWhenNobodyIsReady() {
        let executor = SimulationExecutor(seed: 1)
        let waited = Note<[Duration]>([])
        let ending = executor.run(stepsMax: 1_000) {
            let start = executor.now
            try? await executor.sleep(until: start + .seconds(3_600))
            waited.withLock { $0.append(start.duration(to: executor.now)) }
            await Task.yield()
            waited.withLock { $0.append(start.duration(to: executor.now)) }
        }
        #expect(ending == .finished)
        #expect(waited.withLock { $0 } == [.seconds(3_600), .seconds(3_600)])
    }

    @Test func aCancelledSleepEndsAtOnce() {
        let executor = SimulationExecutor(seed: 1)
        let outcome = Note<(isCancelled: Bool, after: Duration)?>(nil)
        let ending = executor.run(stepsMax: 1_000) {
            let start = executor.now
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    do { try await executor.sleep(until: start + .seconds(100)) } catch {
                        outcome.withLock { $0 = (error is CancellationError, start.duration(to: executor.now)) }
                    }
                }
                try? await executor.sleep(until: start + .milliseconds(35))
                group.cancelAll()
            }
        }
        #expect(ending == .finished)
        #expect(outcome.withLock { $0?.isCancelled } == true)
        #expect(outcome.withLock { $0?.after } == .milliseconds(35))
    }

    @Test func aWorldThatWaitsForNothingIsToldApart() {
        let executor = SimulationExecutor(seed: 1)
        let never = Mutex<CheckedContinuation<Void, Never>?>(nil)
        let stuck = executor.run(stepsMax: 1_000) {
            await withCheckedContinuation { continuation in never.withLock { $0 = continuation } }
        }
        #expect(stuck == .stuck)
        never.withLock { $0?.resume() }
        let endless = SimulationExecutor(seed: 1)
        let tooLong = endless.run(stepsMax: 1_000) {
            while !Task.isCancelled { try? await endless.sleep(until: endless.now + .milliseconds(1)) }
        }
        #expect(tooLong == .tooLong)
    }
}

/// A value that tasks share: a `Mutex` of its own cannot be captured by several of them.
private final class Note<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result { value.withLock { body(&$0) } }
}
