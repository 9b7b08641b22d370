import Checker
import Foundation
import Inventory
import Synchronization

/// One seed: a sale, buyers, faults, healing, and the verdict.
struct TortureRound {
    static let buyerCount = 24
    /// Between two orders of one buyer, on average.
    static let pauseMilliseconds = 35.0
    /// Buying goes on for so long after the last heal: what is refused then is no fault's doing.
    private static let afterHeal = Duration.seconds(3)
    private static let drainPatience = Duration.seconds(40)

    struct Result: Sendable {
        let seed: UInt64
        let verdict: Verdict
        let folder: String
    }

    let configuration: ProcessTorture.Configuration
    let seed: UInt64
    let folder: String
    private let clock = ContinuousClock()

    init(configuration: ProcessTorture.Configuration, seed: UInt64, folder: String) {
        self.configuration = configuration
        self.seed = seed
        self.folder = folder
    }

    func run() async throws -> Result {
        // Every third seed keeps files: a master comes back with what it had, or with less.
        let appendsOnly = seed % 3 == 0 || configuration.durability == .aof
        let floor = try await TortureFloor.start(configuration, seed: seed, folder: folder, appendsOnly: appendsOnly)
        let final: FinalState
        do {
            final = try await torture(floor, appendsOnly: appendsOnly)
        } catch {
            await floor.stop()
            throw error
        }
        await floor.stop()
        if let failure = floor.record.writer.failure {
            throw TortureError("the history \(floor.record.writer.path) is not whole: \(failure)")
        }
        let verdict = Checker.check(
            history: try History.read(path: floor.record.writer.path), final: final,
            promise: Self.promise(configuration.durability, topology: floor.topology))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try encoder.encode(final).write(to: URL(fileURLWithPath: "\(folder)/final.json"))
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        try encoder.encode(verdict).write(to: URL(fileURLWithPath: "\(folder)/verdict.json"))
        return Result(seed: seed, verdict: verdict, folder: folder)
    }

    /// What a durability promises on a fleet.
    static func promise(_ durability: Durability, topology: TortureTopology) -> Promise {
        var promise = Promise(durability)
        // Where a yes waits for some replicas only, one that fell behind may be promoted that none waited for. A dead master's
        // heir is the replica that has most: it has every yes.
        if durability.replicas > 0, durability.replicas < topology.replicas {
            promise.losesAfter.insert(Promise.Fault.promotion)
        }
        return promise
    }

    private func torture(_ floor: TortureFloor, appendsOnly: Bool) async throws -> FinalState {
        let comparisons = Comparisons()
        let over = Over()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await floor.expireAnswers() }
            let buyers = Task { await self.buyers(floor, until: over) }
            let operations = Task { await self.operate(floor, until: over) }
            defer {
                over.end()
                buyers.cancel()
                operations.cancel()
                group.cancelAll()
            }
            try await inflict(floor, appendsOnly: appendsOnly)
            // From here on nothing is done to the system.
            let healedAt = clock.now
            floor.record.add(HistoryEvent(at: 0, process: 0, .heal, .ok))
            let comparing = Task { await self.compare(floor, into: comparisons) }
            defer { comparing.cancel() }
            try? await clock.sleep(for: Self.afterHeal)
            over.end()
            let deadline = healedAt + Self.drainPatience
            await operations.value
            let undecided = await buyers.value
            var final = await drain(floor, until: deadline)
            comparing.cancel()
            await comparing.value
            await compareOnce(floor, into: comparisons, ledgers: true)
            final.comparisons = comparisons.all
            if undecided > 0 {
                final.unended.append(
                    "\(undecided) orders heard no final answer within \(Int(Self.drainPatience.inSeconds)) s of the last heal"
                )
            }
            return final
        }
    }

    private func inflict(_ floor: TortureFloor, appendsOnly: Bool) async throws {
        let nemesis = Nemesis(floor: floor)
        try await clock.sleep(for: TorturePlan.quiet)
        let plan = TorturePlan(
            seed: seed, seconds: configuration.roundSeconds - TorturePlan.quiet.inSeconds, topology: floor.topology,
            appendsOnly: appendsOnly)
        for window in plan.windows {
            await withDiscardingTaskGroup { group in
                for fault in window.faults { group.addTask { await nemesis.inflict(fault) } }
            }
            try await nemesis.healAll()
            try await clock.sleep(for: window.pause)
        }
    }

    // MARK: Who works meanwhile

    /// Whether the sale is over for buyers and operator.
    private final class Over: Sendable {
        private let flag = Atomic<Bool>(false)
        var isOver: Bool { flag.load(ordering: .relaxed) }
        func end() { flag.store(true, ordering: .relaxed) }
    }

    /// Returns how many orders never heard a final answer.
    private func buyers(_ floor: TortureFloor, until over: Over) async -> Int {
        await withTaskGroup(of: Int.self) { group in
            for number in 0..<Self.buyerCount {
                group.addTask {
                    var buyer = TortureBuyer(
                        process: 10 + number, sale: floor.sale, engines: floor.engines, record: floor.record,
                        seed: seed)
                    await buyer.buy(pauseMilliseconds: Self.pauseMilliseconds) { over.isOver || Task.isCancelled }
                    return await buyer.finish(until: Task.isCancelled ? .now : .now + Self.drainPatience)
                }
            }
            var undecided = 0
            for await count in group { undecided += count }
            return undecided
        }
    }

    private func operate(_ floor: TortureFloor, until over: Over) async {
        var person = TortureOperator(
            sale: floor.sale, parties: floor.parties, record: floor.record, seed: seed)
        await person.work { over.isOver || Task.isCancelled }
        await person.finish(until: Task.isCancelled ? .now : .now + .seconds(20))
    }

    // MARK: The end

    private final class Comparisons: Sendable {
        private let list = Mutex<[FinalState.Comparison]>([])
        func add(_ comparison: FinalState.Comparison) { list.withLock { $0.append(comparison) } }
        var all: [FinalState.Comparison] { list.withLock { $0 } }
    }

    private func compare(_ floor: TortureFloor, into comparisons: Comparisons) async {
        while !Task.isCancelled {
            await compareOnce(floor, into: comparisons, ledgers: false)
            try? await clock.sleep(for: .milliseconds(500))
        }
    }

    private func compareOnce(_ floor: TortureFloor, into comparisons: Comparisons, ledgers: Bool) async {
        let answer = await floor.workers[0].ask("compare\(ledgers ? " ledgers" : "")", within: .seconds(20))
        guard let words = answer?.words, words.count >= 3, let drift = Int64(words[0]) else { return }
        let detail = words.dropFirst(3).joined(separator: " ")
        comparisons.add(
            .init(
                at: floor.record.now, driftUnits: drift, causedUnits: Int64(words[2]), isWhole: words[1] == "1",
                detail: detail.isEmpty ? nil : detail))
    }

    /// Waits until nothing is under way between the stores, then reads both.
    private func drain(_ floor: TortureFloor, until deadline: ContinuousClock.Instant) async -> FinalState {
        let reader = TortureReader(path: floor.booksPath, fleet: floor.fleet, sale: floor.sale)
        while clock.now < deadline {
            if let pending = try? await reader.pending(), pending.isNothing { break }
            try? await clock.sleep(for: .milliseconds(50))
        }
        return await reader.read()
    }
}
