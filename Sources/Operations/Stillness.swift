import Inventory
import Redis
import Telemetry

/// Whether anything moves in a sale, so that nobody cuts every bucket ten times a second while nothing does.
///
/// While the screen would show the same again for ``patience``, the sampler looks once a second. In between it asks each server
/// one cheap question, how many writes it has seen; whatever differs ends the stillness at once.
struct Stillness {
    /// How long everything stands still before the sampler slows down: a rate then has fallen to zero, and shows it.
    static let patience = Duration.seconds(3)
    /// Between looks while still.
    static let interval = Duration.seconds(1)
    /// Between questions while still: the longest by which a first move is seen later than otherwise.
    static let probeInterval = Duration.milliseconds(500)
    /// Between cuts of everything while still.
    static let cutPatience = Duration.seconds(5)
    static let probeTimeout = Duration.milliseconds(300)

    /// What a snapshot says that time alone does not change.
    private struct Mark: Hashable {
        var sums: [Int64]
        var nodes: [Bool]
        var sale: String
        var buyers: Double?
        var lastEvent: Int?
        var isMoving: Bool
    }

    private var mark: Mark?
    private var since: ContinuousClock.Instant
    /// What the servers last said of themselves, in the order of ``RedisCluster/onEachMaster(_:deadline:)``.
    private var writes: [String?] = []
    /// When they were first asked: only what was cut later is sure to hold all that they counted then.
    private(set) var knownSince: ContinuousClock.Instant?

    init(now: ContinuousClock.Instant) { since = now }

    /// Takes a look's result.
    mutating func note(_ snapshot: WarRoomSnapshot, now: ContinuousClock.Instant) {
        var isMoving = snapshot.ledger.backlogEntries > 0 || snapshot.fencedBuckets > 0 || snapshot.phase != .live
        var stock: Int64 = 0
        var taken: Int64 = 0
        var frozen: Int64 = 0
        for sku in snapshot.skus {
            if sku.unitsPerSecond != 0 { isMoving = true }
            stock &+= sku.stock ?? -1
            taken &+= sku.taken
            if sku.frozen { frozen += 1 }
        }
        let orders = snapshot.orders
        let found = Mark(
            sums: [
                stock, taken, frozen, orders.accepted, orders.refused ?? -1, orders.unknown ?? -1,
                orders.released, snapshot.ledger.entries, snapshot.ledger.persisted,
                Int64(snapshot.recoveries), snapshot.drift.units, snapshot.ledger.pendingGiveBacks,
            ],
            nodes: snapshot.nodes.map(\.isUp), sale: snapshot.saleState.rawValue, buyers: orders.buyersPerSecond,
            lastEvent: snapshot.events.last?.number, isMoving: isMoving)
        if found != mark || isMoving {
            mark = found
            since = now
        }
    }

    func isStill(now: ContinuousClock.Instant) -> Bool { now - since >= Self.patience }

    /// Whether what was cut at that moment is still what a cut would find.
    func holds(cutAt: ContinuousClock.Instant, now: ContinuousClock.Instant) -> Bool {
        isStill(now: now) && knownSince.map { cutAt > $0 } == true && now - cutAt < Self.cutPatience
    }

    /// Something moved.
    mutating func end(now: ContinuousClock.Instant) { since = now }

    /// Compares what servers say of their writes with what they said before; the first answers only count as known.
    /// - Returns: whether it differs, an answer that is missing included.
    mutating func differs(_ answers: [String?], now: ContinuousClock.Instant) -> Bool {
        defer { writes = answers }
        if writes.isEmpty { knownSince = now }
        return !writes.isEmpty && (answers != writes || answers.contains(nil))
    }

    // MARK: Comparing

    /// Books that agreed and in which Redis has written nothing since are compared this rarely: what SQL alone could change.
    static let comparePatience = Duration.seconds(10)
    private var agreedAt: ContinuousClock.Instant?

    /// Whether a comparison is due although no server wrote anything.
    func isDue(now: ContinuousClock.Instant) -> Bool { agreedAt.map { now - $0 >= Self.comparePatience } ?? true }

    mutating func compared(_ agrees: Bool, now: ContinuousClock.Instant) { agreedAt = agrees ? now : nil }

    /// What each server says of its writes; `nil` where it says nothing.
    static func writes(of cluster: any RedisPort, _ now: ContinuousClock.Instant) async -> [String?] {
        await cluster.onEachMaster(RedisCommand("INFO", "persistence"), deadline: now + probeTimeout).map { answer in
            guard case .success(let reply) = answer.result else { return nil }
            return reply.string.flatMap(Stillness.writes(in:))
        }
    }

    /// The field of `INFO persistence` that counts writes: it grows with each, and falls when the server saved or started anew.
    static func writes(in info: String) -> String? {
        RedisInfo(info)["rdb_changes_since_last_save"].map(String.init)
    }
}

extension WarRoomSampler {
    /// Waits until the next look is due: at once where something moves, else up to a second.
    func waitWhileStill(_ stillness: inout Stillness) async {
        let end = clock.now + Stillness.interval
        let event = service.events.last
        let reading = stillMark
        while clock.now < end, !Task.isCancelled {
            let answers = await Stillness.writes(of: service.cluster, clock.now)
            if stillness.differs(answers, now: clock.now) || service.events.last != event || stillMark != reading {
                return stillness.end(now: clock.now)
            }
            try? await clock.sleep(until: min(end, clock.now + Stillness.probeInterval))
        }
    }
}
