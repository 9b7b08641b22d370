import Checker
import Dispatch
import Host
public import Inventory
import OrderStore
import RedisModel
import Synchronization

/// Runs many seeds, each a world of its own, on one thread a core, and keeps what was found.
///
/// A seed replays exactly only under `ReproducibleHashing`: the order of Swift's dictionaries is a source of chance too.
public struct SimulatedTorture: Sendable {
    public struct Summary: Sendable {
        public var seeds = 0
        public var faults = 0
        public var operations = 0
        public var acknowledged = 0
        public var violations = 0
        public var unknown = 0
        /// Acknowledged orders that the promise allowed to be lost.
        public var losses = 0
        /// Seeds with a violation or an unknown, in order, and what was found first.
        public var bad: [(seed: UInt64, finding: String)] = []
        /// The lowest seed with a violation; without any, the lowest with an unknown.
        public var firstBadSeed: UInt64?
        public var seconds = 0.0
        /// Jobs and timers of all worlds.
        public var steps = 0
        /// The digests of all worlds, mixed in a way that does not depend on their order.
        public var trace: UInt64 = 0
    }

    /// Seeds whose findings are kept.
    static let badMax = 100

    public let durability: Durability?
    public let plant: Plant?
    public let threads: Int

    /// - Parameters:
    ///   - durability: of every world; `nil`: the seed decides.
    ///   - threads: worlds at once.
    public init(durability: Durability? = nil, plant: Plant? = nil, threads: Int) {
        self.durability = durability
        self.plant = plant
        self.threads = threads
    }

    /// Runs one seed. Blocks the calling thread.
    public func run(seed: UInt64) throws -> WorldReport { try run(seed: seed, on: Ground()) }

    /// What one thread's worlds stand on, one after the other: scripts are compiled and tables made once.
    private struct Ground {
        let machine = ScriptMachine()
        let tables: SQLiteMemory

        init() throws { tables = try SQLiteMemory() }
    }

    private func run(seed: UInt64, on ground: Ground) throws -> WorldReport {
        try SimulatedWorld(
            scenario: Scenario(seed: seed, durability: durability), plant: plant, machine: ground.machine,
            tables: ground.tables
        ).run()
    }

    /// Runs seeds `first …< first + count`; `onReport` hears of each, on any thread. Blocks the calling thread.
    ///
    /// - Parameter isEnded: asked before each seed; true ends the run early.
    public func run(
        first: UInt64, count: Int, isEnded: @escaping @Sendable () -> Bool = { false },
        onReport: @escaping @Sendable (WorldReport) -> Void = { _ in }
    ) throws -> Summary {
        let clock = ContinuousClock()
        let start = clock.now
        let next = Atomic<Int>(0)
        let summary = Mutex(Summary())
        let failure = Mutex<(any Error)?>(nil)
        let work = { @Sendable in
            do {
                let ground = try Ground()
                while !isEnded() {
                    let position = next.add(1, ordering: .relaxed).oldValue
                    guard position < count else { return }
                    let report = try run(seed: first &+ UInt64(position), on: ground)
                    summary.withLock { $0.add(report) }
                    onReport(report)
                }
            } catch {
                failure.withLock { $0 = $0 ?? error }
            }
        }
        let group = DispatchGroup()
        for number in 1..<max(2, threads) where threads > 1 {
            group.enter()
            // Lua and SQLite work on this thread: more stack than a worker's usual one.
            try OSThread.start(name: "world \(number)", stackBytes: 8 << 20) {
                work()
                group.leave()
            }
        }
        work()
        group.wait()
        if let error = failure.withLock({ $0 }) { throw error }
        return summary.withLock { summary in
            summary.bad.sort { $0.seed < $1.seed }
            let parts = start.duration(to: clock.now).components
            summary.seconds = Double(parts.seconds) + Double(parts.attoseconds) / 1e18
            return summary
        }
    }
}

extension SimulatedTorture.Summary {
    fileprivate mutating func add(_ report: WorldReport) {
        seeds += 1
        faults += report.faults
        operations += report.verdict.operations
        acknowledged += report.verdict.acknowledged
        violations += report.verdict.violationCount
        unknown += report.verdict.unknown.count
        losses += report.verdict.lossCount
        steps += report.steps
        trace &+= report.trace &* (report.seed | 1)
        guard let finding = report.verdict.violations.first ?? report.verdict.unknown.first else { return }
        let isViolation = !report.verdict.violations.isEmpty
        if isViolation || violations == 0 { firstBadSeed = min(firstBadSeed ?? .max, report.seed) }
        if bad.count < SimulatedTorture.badMax { bad.append((report.seed, "\(finding)")) }
    }
}
