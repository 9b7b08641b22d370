import Deduction
import Inventory
import Synchronization

/// Callers who each ask for an order, wait for its answer, and ask for the next: what a closed loop of buyers is to an engine.
final class BenchCrowd: Sendable {
    /// Of a caller's orders, those whose wait is measured: every one of so many, so that the clock is not what is measured.
    private static let ordersPerSample = 16
    /// Refusals answer within a microsecond: fewer of them are timed, and callers let others on now and then.
    private static let refusalsPerSample = 1_024

    /// Who asks for what comes at a rate: so many that one is always free, unless the engine is behind by all that its queue holds.
    private static let openCallers = 16_384

    private enum Phase { static let (warm, counting, over) = (0, 1, 2) }

    struct Tally: Sendable {
        var count = 0
        var unexpected = 0
        var lastUnexpected = ""
        var milliseconds: [Double] = []

        mutating func add(_ other: Tally) {
            count += other.count
            unexpected += other.unexpected
            if !other.lastUnexpected.isEmpty { lastUnexpected = other.lastUnexpected }
            milliseconds += other.milliseconds
        }

        func quantile(_ share: Double) -> Double {
            guard !milliseconds.isEmpty else { return 0 }
            return milliseconds.sorted()[min(milliseconds.count - 1, Int(Double(milliseconds.count) * share))]
        }
    }

    private let engine: DeductionEngine
    private let load: EngineLoad
    private let seed: UInt64
    private let zipf: ZipfSampler?
    private let phase = Atomic<Int>(Phase.warm)
    private let sum = Mutex(Tally())
    private let clock = ContinuousClock()

    init(engine: DeductionEngine, load: EngineLoad, seed: UInt64) {
        self.engine = engine
        self.load = load
        self.seed = seed
        zipf = load.zipfExponent.map { ZipfSampler(count: load.skus, exponent: $0) }
    }

    /// What was counted; complete once `press` has returned.
    var tally: Tally { sum.withLock { $0 } }

    func beginCounting() { phase.store(Phase.counting, ordering: .relaxed) }
    func endCounting() { phase.store(Phase.over, ordering: .relaxed) }
    func leave() { endCounting() }

    /// Asks until `leave`.
    func press() async throws {
        if load.countsRefusals {
            // Refusals are answered where they are asked: here the whole pool asks.
            await withDiscardingTaskGroup { group in
                for caller in 0..<load.callers { group.addTask { [self] in await ask(caller) } }
            }
            return
        }
        let executor = try CrowdExecutor()
        defer { executor.end() }
        await withDiscardingTaskGroup { group in
            if let rate = load.ordersPerSecond {
                let coming = Coming(start: clock.now, perSecond: rate)
                for caller in 0..<Self.openCallers {
                    group.addTask(executorPreference: executor) { [self] in await come(caller, coming) }
                }
                group.addTask(executorPreference: executor) { [self] in await call(coming) }
            } else {
                for caller in 0..<load.callers {
                    group.addTask(executorPreference: executor) { [self] in await ask(caller) }
                }
            }
        }
    }

    // MARK: One after another

    private nonisolated(nonsending) func ask(_ caller: Int) async {
        var random = SplitMix64(seed: seed &* 0x1_0000_0001 &+ UInt64(caller))
        var flows = FlowIDGenerator()
        var tally = Tally()
        var asked = 0
        let perSample = load.countsRefusals ? Self.refusalsPerSample : Self.ordersPerSample
        while true {
            if phase.load(ordering: .relaxed) == Phase.over { break }
            asked += 1
            let order = makeOrder(&random, &flows)
            let isSampled = asked % perSample == 0
            let start = isSampled ? clock.now : nil
            let outcome = await engine.deduct(order, attempt: .first)
            if phase.load(ordering: .relaxed) == Phase.counting {
                count(outcome, since: start, into: &tally)
            }
            // A refusal does not suspend: whoever only hears refusals would never let anybody else run.
            if isSampled, load.countsRefusals { await Task.yield() }
        }
        sum.withLock { [tally] in $0.add(tally) }
    }

    private func count(_ outcome: DeductionOutcome, since start: ContinuousClock.Instant?, into tally: inout Tally) {
        let isExpected: Bool
        switch outcome {
        case .done: isExpected = !load.countsRefusals
        case .refused(.soldOut): isExpected = load.countsRefusals
        // Who comes at a rate is turned away at once where the queue is full: no order, and no failure.
        case .refused(.overloaded) where load.ordersPerSecond != nil: return
        case .refused, .unknown: isExpected = false
        }
        if isExpected {
            tally.count += 1
        } else {
            tally.unexpected += 1
            tally.lastUnexpected = "\(outcome)"
        }
        if let start { tally.milliseconds.append(start.duration(to: clock.now).inSeconds * 1_000) }
    }

    // MARK: At a rate

    /// Orders that come when they are due, whether or not others still wait: how long each waits is counted from then.
    private struct Coming {
        let start: ContinuousClock.Instant
        let perSecond: Double
        let queue = BenchQueue()
    }

    private nonisolated(nonsending) func call(_ coming: Coming) async {
        while phase.load(ordering: .relaxed) != Phase.over {
            coming.queue.call(upTo: Int(coming.start.duration(to: clock.now).inSeconds * coming.perSecond))
            try? await clock.sleep(for: .milliseconds(1))
        }
        coming.queue.close()
    }

    /// One of those who ask for what is due.
    private nonisolated(nonsending) func come(_ caller: Int, _ coming: Coming) async {
        var random = SplitMix64(seed: seed &* 0x1_0000_0001 &+ UInt64(caller))
        var flows = FlowIDGenerator()
        var tally = Tally()
        while let number = await coming.queue.next() {
            let isCounted = phase.load(ordering: .relaxed) == Phase.counting
            let outcome = await engine.deduct(makeOrder(&random, &flows), attempt: .first)
            guard isCounted else { continue }
            let isSampled = number % Self.ordersPerSample == 0
            count(
                outcome, since: isSampled ? coming.start + .seconds(Double(number + 1) / coming.perSecond) : nil,
                into: &tally)
        }
        sum.withLock { [tally] in $0.add(tally) }
    }

    private func makeOrder(_ random: inout SplitMix64, _ flows: inout FlowIDGenerator) -> Order {
        let entries = engine.catalogue.entries
        let flow = flows.next(milliseconds: WallClock.milliseconds, random: random.next())
        if load.lines > 1 {
            // One bucket, every SKU of it.
            let lines = entries.prefix(load.lines).map { OrderLine(sku: $0.number, quantity: 1) }
            return Order(trustedFlow: flow, bucket: entries[0].bucket, sortedLines: lines)
        }
        let rank =
            entries.count == 1 ? 0 : zipf?.rank(at: random.unit()) ?? Int(random.next() % UInt64(entries.count))
        let entry = entries[rank]
        return Order(
            trustedFlow: flow, bucket: entry.bucket, sortedLines: OrderLines(OrderLine(sku: entry.number, quantity: 1)))
    }
}
