import Glibc
import Host
import Inventory
import Lab
import Testing

/// An engine is killed between any two steps; a server and books that others own outlive it. Nothing is lost, nothing doubled.
@Suite("An engine process that is killed", .timeLimit(.minutes(3)))
struct EngineKillTests {
    /// Where it dies while it sells, how often that step was reached by then, and at which durabilities it is reached.
    static let sellingSteps: [(step: String, durabilities: [Durability])] = [
        ("asked deduct:3", [.memory, .durable]),
        ("sent deduct:5", [.memory, .durable]),
        ("answered deduct:7", [.memory, .durable]),
        ("answered deduct:30", [.memory, .durable]),
        ("before deduct commit:2", [.memory, .durable]),
        ("after deduct commit:3", [.memory, .durable]),
        ("before payment commit:2", [.memory, .durable]),
        ("after payment commit:2", [.memory, .durable]),
        ("before cancel:1", [.memory, .durable]),
        ("after cancel:2", [.memory, .durable]),
        ("asked release:1", [.memory, .durable]),
        ("answered release:2", [.memory, .durable]),
        ("before release commit:1", [.memory, .durable]),
        ("after release commit:2", [.memory, .durable]),
    ]

    @Test("loses and doubles nothing, whatever it was doing", arguments: sellingCases)
    func killedWhileSelling(_ scenario: Scenario) async throws {
        let floor = try await EngineFloor(scenario.durability)
        let dead = try await floor.run(seed: 1, orders: 60, dieAt: scenario.step)
        #expect(dead.ending == .killed(signal: SIGKILL), "\(dead.text)")
        try await end(floor, fromSeed: 2, orders: 60)
    }

    @Test("leaves orders over two buckets that are undone or finished", arguments: undoingCases)
    func killedWhileUndoing(_ scenario: Scenario) async throws {
        let floor = try await EngineFloor(scenario.durability)
        // So many that SKUs sell out, and orders are taken in one bucket and refused in another.
        let dead = try await floor.run(seed: 1, orders: 160, dieAt: scenario.step)
        #expect(dead.ending == .killed(signal: SIGKILL), "\(dead.text)")
        try await end(floor, fromSeed: 2, orders: 60)
    }

    @Test("leaves a recovery that the next one ends", arguments: recoveringCases)
    func killedWhileRecovering(_ scenario: Scenario) async throws {
        let floor = try await EngineFloor(scenario.durability)
        // The first one leaves work in the outbox, the fence stops the second.
        let first = try await floor.run(seed: 1, orders: 60, dieAt: "answered deduct:12")
        #expect(first.ending == .killed(signal: SIGKILL), "\(first.text)")
        // What survives in the outbox is drained by whoever comes first; nobody else may while the bucket is claimed.
        if scenario.step.contains("drain") {
            try await floor.abandonRecovery()
        } else {
            try await floor.breakLineage(intact: scenario.step.contains("reopen"))
        }
        let dead = try await floor.run(seed: 2, orders: 60, dieAt: scenario.step)
        #expect(dead.ending == .killed(signal: SIGKILL), "\(dead.text)")
        try await end(floor, fromSeed: 3, orders: 40)
    }

    @Test("stopped through a recovery, it writes nowhere, and says no yes that does not stand", arguments: [3, 11, 40])
    func stoppedThroughRecovery(placed: Int) async throws {
        let floor = try await EngineFloor(.durable)
        let run = try await floor.startRun(seed: 5, orders: 400, until: placed)
        // Stopped within a transaction it would keep SQL from everybody, and no recovery could begin.
        repeat {
            run.goOn()
            try await ContinuousClock().sleep(for: .milliseconds(2))
            try await run.stop()
        } while await !floor.writesToSQL()
        try await floor.recoverEmptied()
        run.goOn()
        let ended = await run.ending()
        #expect(ended.ending == .exited(code: 0), "\(ended.text)")
        try await end(floor, fromSeed: 6, orders: 0)
    }

    @Test("loses and doubles nothing when it is killed at random moments", arguments: Durability.anywhere)
    func killedAtRandom(durability: Durability) async throws {
        let floor = try await EngineFloor(durability)
        var random = SplitMix64(seed: 7)
        for round in 1...UInt64(5) {
            let dead = try await floor.run(
                seed: round, orders: 40, killAtLine: Int.random(in: 1...60, using: &random))
            // One that said little may end before the signal comes.
            #expect(dead.ending == .killed(signal: SIGKILL) || dead.ending == .exited(code: 0), "\(dead.text)")
        }
        try await end(floor, fromSeed: 6, orders: 40)
    }

    /// Two engines that live come after those that died: whom the first one tells yes, the second asks again. Then the books are
    /// read.
    private func end(_ floor: EngineFloor, fromSeed seed: UInt64, orders: Int) async throws {
        for (seed, orders) in [(seed, orders), (seed + 1, 0)] {
            let run = try await floor.run(seed: seed, orders: orders, settles: true)
            #expect(run.ending == .exited(code: 0), "\(run.text)")
        }
        try await floor.check()
        await floor.stop()
    }

    struct Scenario: Sendable, CustomTestStringConvertible {
        let step: String
        let durability: Durability
        var testDescription: String { "\(step) at \(durability.rawValue)" }
    }

    static let sellingCases = sellingSteps.flatMap { step, durabilities in
        durabilities.map { Scenario(step: step, durability: $0) }
    }

    static let undoingCases = ["before undo:1", "after undo:1", "after undo:3", "before undo:4"].flatMap { step in
        Durability.anywhere.map { Scenario(step: step, durability: $0) }
    }

    static let recoveringCases = [
        "before claim", "after claim", "asked close", "answered close", "before drain", "after drain", "before fold",
        "after fold", "answered rebuild", "before reopen", "after reopen", "before mark opened", "after mark opened",
        "sent open", "answered open",
    ].flatMap { step in Durability.anywhere.map { Scenario(step: "\(step):1", durability: $0) } }
}
