import Deduction
import Inventory
public import Operations
import OrderStore
import Reconciliation
import Telemetry

/// One sale without a screen, from opening to exact books.
public struct DemoRun: Sendable {
    public struct Configuration: Sendable {
        public var floor = DemoFloor.Configuration()
        /// Seconds that the sale is open.
        public var seconds = 20.0
        /// Kill a node this many seconds after the opening.
        public var crashAt: Double?
        /// `nil`: as many buyers as the machine takes.
        public var buyersPerSecond: Double?
        public init() {}
    }

    /// What came of it, under the names that scripts read.
    public struct Report: Sendable, Codable {
        public var seed: UInt64
        public var topology: String
        public var masters: Int
        public var durability: String
        public var durationSeconds: Double
        public var attempts: Int64
        public var acknowledgedOrders: Int64
        public var refusedOrders: Int64
        public var unknownOrders: Int64
        public var releasedOrders: Int64
        public var crashes: Int
        public var fencedBuckets: Int
        public var recoveries: Int
        public var allocatedUnits: Int64
        /// `nil`: some bucket could not be read, and nobody knows what it holds.
        public var stockUnits: Int64?
        public var soldUnits: Int64
        public var reservedUnits: Int64
        public var oversoldUnits: Int64
        public var lostOrders: Int64
        public var driftUnits: Int64
        public var driftUnitsPeak: Int64
        public var drift: [String: Int64]
        public var outboxBacklog: Int64
        public var drainMilliseconds: Double
        public var deductionsPerSecond: Double
        public var p50Milliseconds: Double
        public var p99Milliseconds: Double
        public var recoveryMilliseconds: Double
        /// Reservations whose payment did not come in time.
        public var expiredOrders: Int64 = 0
        /// Refunds in SQL: payments that came late, promises taken back.
        public var refundedOrders: Int64 = 0
        /// Payments that took the late way, whatever became of them.
        public var latePayments: Int64 = 0
        /// Buckets that could not be compared: `driftUnits` and `outboxBacklog` say nothing of them.
        public var unreadBuckets = 0
        /// What could not be found out; a run with such a line is neither good nor bad.
        public var unchecked: [String] = []

        /// `unchecked` is prose for a person, and says what `unreadBuckets` counts: neither is among the names that scripts read.
        private enum CodingKeys: String, CodingKey {
            case seed, topology, masters, durability, durationSeconds, attempts, acknowledgedOrders, refusedOrders
            case unknownOrders, releasedOrders, crashes, fencedBuckets, recoveries, allocatedUnits, stockUnits,
                soldUnits
            case reservedUnits, oversoldUnits, lostOrders, driftUnits, driftUnitsPeak, drift, outboxBacklog
            case drainMilliseconds, deductionsPerSecond, p50Milliseconds, p99Milliseconds, recoveryMilliseconds
            case expiredOrders, refundedOrders, latePayments
        }

        /// Whether the promise of the chosen durability was kept. A demo kills one master at a time with SIGKILL: that takes
        /// nothing from `durable`, from an append-only file that the kernel has, or from a replica that had said so; then
        /// nothing may be lost or sold twice. `memory` may lose what a crash takes and sell it again, but never without one,
        /// and its books must agree in the end.
        public var keptItsPromise: Bool {
            // What SQL has not taken yet stands in no counter: then the sum says nothing, and `unchecked` says so.
            let adds =
                stockUnits.map { allocatedUnits == $0 + soldUnits + reservedUnits } ?? true || !unchecked.isEmpty
            // A half-done order waits for SQL as well.
            let waiting = unchecked.isEmpty ? 0 : drift[DriftKind.halfDone.rawValue] ?? 0
            let exact = driftUnits == waiting && adds
            if durability != Durability.memory.rawValue || crashes == 0 {
                return exact && lostOrders == 0 && oversoldUnits == 0
            }
            return exact
        }

        /// Whether the promise was kept; `nil`: nothing says that it was broken, and not everything could be looked at.
        public var verdict: Bool? { !keptItsPromise ? false : unchecked.isEmpty ? true : nil }
    }

    public let configuration: Configuration

    public init(_ configuration: Configuration) { self.configuration = configuration }

    /// Runs the sale. Cancelled, it closes early and still reports.
    public func run(events: EventLog) async throws -> Report {
        let floor = try await DemoFloor.start(configuration.floor, events: events)
        if configuration.floor.keepFolder != nil {
            events.add(.info, "from elsewhere: sellout watch --redis \(floor.fleet.url) --orders \(floor.ordersURL)")
        }
        let work = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await floor.run() }
                group.addTask { await floor.service.watchNodes() }
            }
        }
        let report: Result<Report, any Error>
        do { report = .success(try await sellAndCount(floor)) } catch { report = .failure(error) }
        work.cancel()
        await work.value
        await floor.stop()
        if let kept = floor.keptSentence { events.add(.info, kept) }
        return try report.get()
    }

    private func sellAndCount(_ floor: DemoFloor) async throws -> Report {
        let clock = ContinuousClock()
        let opening = await floor.service.control.open()
        guard opening.succeeded else { throw RunError(description: opening.sentence) }
        let start = clock.now
        await withTaskGroup { group in
            group.addTask {
                _ = await floor.sell(buyersPerSecond: configuration.buyersPerSecond, seconds: configuration.seconds)
            }
            if let crashAt = configuration.crashAt {
                group.addTask {
                    try? await clock.sleep(until: start + .seconds(crashAt))
                    guard !Task.isCancelled else { return }
                    let node = await floor.nodeForCrash(
                        remainingSeconds: configuration.seconds - crashAt, elapsed: crashAt)
                    _ = await floor.crash(node)
                }
            }
        }
        let seconds = start.duration(to: clock.now).milliseconds / 1_000
        _ = await floor.service.control.halt()
        // Counting is not cancelled with the sale: cancelled, every wait in it would end at once and spin.
        let patience = Task.isCancelled ? Self.cancelledPatience : Self.drainPatience
        return try await Task { try await count(floor, seconds: seconds, patience: patience) }.value
    }

    /// How long payments, give-backs, recoveries and the outbox may take after the sale.
    private static let drainPatience = Duration.seconds(60)
    /// The same after somebody asked the run to end.
    private static let cancelledPatience = Duration.seconds(5)
    /// How long SQL may refuse everything after the sale before the run gives up on the drain.
    private static let refusalPatience = Duration.seconds(5)

    struct RunError: Error, CustomStringConvertible { let description: String }

    /// Drains, waits for what is under way, compares, and reads every book.
    private func count(_ floor: DemoFloor, seconds: Double, patience: Duration) async throws -> Report {
        let clock = ContinuousClock()
        var unchecked: [String] = []
        let drainStart = clock.now
        let giveUpAt = clock.now + patience
        var quiet = false
        var refusal: String?
        var refusedSince = clock.now
        while !quiet, clock.now < giveUpAt {
            refusal = floor.service.engine.storeError ?? floor.service.worker.status.lastError
            if refusal == nil { refusedSince = clock.now }
            // A full disk does not empty itself while everybody waits.
            if clock.now - refusedSince > Self.refusalPatience { break }
            let totals = try await floor.store.orderTotals()
            quiet =
                floor.shoppers.paymentsWaiting == 0 && totals.pendingGiveBacks == 0
                && floor.service.supervisor.status.fenced.isEmpty
            if quiet { quiet = await floor.drained(patience: refusal == nil ? .seconds(30) : .seconds(1)) }
            if !quiet { try? await clock.sleep(for: .milliseconds(50)) }
        }
        if !quiet {
            unchecked.append(
                refusal.map { "SQL takes nothing: \($0)" }
                    ?? "payments, give-backs or recoveries were still under way after \(patience.formatted)")
        }
        let drain = drainStart.duration(to: clock.now)
        let comparison = await floor.service.compare(ledgers: true)
        let cuts = await floor.cuts()
        unchecked += floor.unreadSentences(comparison, cuts)
        var lost = try await floor.countLosses().orders
        // Below `durable` an order that SQL lacks is lost only if no outbox holds it, and SQL has not taken all that those hold.
        if lost > 0, configuration.floor.durability != .durable {
            let isDrained = await floor.drained(patience: .milliseconds(100))
            if !isDrained || cuts.count < floor.service.catalogue.buckets.count {
                unchecked.append("\(lost) orders that SQL lacks may lie in the outbox; none of them is counted as lost")
                lost = 0
            }
        }
        let counters = try await floor.store.skuCounters()
        let records = Dictionary(
            uniqueKeysWithValues: try await floor.store.buckets().map { ($0.bucket, $0.drainedThrough) })
        let totals = floor.book.totals
        let payments = try await floor.store.paymentTotals()
        let ended = try await floor.store.orderTotals()
        let latency = floor.service.engine.meter.latency.summary
        let status = floor.service.supervisor.status
        let comparisons = floor.service.lastComparisons
        floor.note(allocated: Dictionary(uniqueKeysWithValues: counters.map { ($0.sku, $0.allocated) }))
        return Report(
            seed: configuration.floor.shoppers.seed,
            topology: configuration.floor.fleet.kind, masters: configuration.floor.masters,
            durability: configuration.floor.durability.rawValue, durationSeconds: seconds, attempts: totals.attempts,
            acknowledgedOrders: totals.acknowledged, refusedOrders: totals.refused, unknownOrders: totals.unknown,
            releasedOrders: totals.released, crashes: floor.crashes, fencedBuckets: status.fences,
            recoveries: status.recoveries, allocatedUnits: counters.reduce(0) { $0 + $1.allocated },
            stockUnits: floor.stockUnits(cuts),
            soldUnits: counters.reduce(0) { $0 + $1.sold }, reservedUnits: counters.reduce(0) { $0 + $1.reserved },
            oversoldUnits: floor.book.oversold.values.reduce(0, +), lostOrders: lost,
            driftUnits: comparison.driftUnits, driftUnitsPeak: comparisons.driftUnitsPeak,
            drift: Dictionary(uniqueKeysWithValues: comparison.unitsByKind.map { ($0.key.rawValue, $0.value) }),
            outboxBacklog: cuts.reduce(0) { sum, cut in
                guard let id = cut.id, let position = records[cut.bucket], position.epoch == id.epoch else {
                    return sum
                }
                return sum + id.n - position.n
            },
            drainMilliseconds: drain.milliseconds,
            deductionsPerSecond: Double(totals.acknowledged) / max(seconds, 0.001),
            p50Milliseconds: latency.p50Milliseconds, p99Milliseconds: latency.p99Milliseconds,
            recoveryMilliseconds: status.lastOutage?.milliseconds ?? 0, expiredOrders: ended.expired,
            refundedOrders: payments.refundsPending + payments.refundsSettled, latePayments: payments.late,
            unreadBuckets: floor.unreadBuckets(comparison, cuts).count, unchecked: unchecked)
    }
}
