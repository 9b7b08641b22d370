import Inventory

/// Everything about a world that one seed decides beforehand: how large it is, what is sold, who comes, what goes wrong.
struct Scenario: Sendable {
    /// A family of faults that a world may see.
    enum Trouble: CaseIterable, Sendable {
        case links, crashes, stops, dataLoss, keyLoss, sql, lineage, replicas, wallClock
        /// A server loses the last moments, and a process that may have filled them stands still.
        case stalls
        /// Somebody takes entries of paid orders out of ledgers, and an operator repairs. No seed brings it by itself.
        case meddling

        static let ofSeeds = allCases.filter { $0 != .meddling }
    }

    /// Keys that `keyLoss` may take.
    enum Keys: Sendable { case all, stocks }

    /// When the sale is closed for good, if ever.
    enum Closing: Sendable {
        case never
        /// When everything was healed and the buyers have left.
        case atTheEnd
        /// In the middle of it all; what it asks for is seen through at the end.
        case inTheRush
    }

    let seed: UInt64
    var durability: Durability
    var whileFenced: WhileFenced
    var nodes: Int
    var buckets: Int
    /// Units allocated to each SKU; SKUs are dealt out to the buckets in turn.
    var units: [Int64]
    var processes: Int
    var buyers: Int
    /// In which the buyers come.
    var rush: Duration
    var troubles: Set<Trouble>
    /// The mean pause between two faults.
    var faultPause: Duration
    /// The share of buyers who click more than once, and of payments that fail.
    var doubleClicks = 0.1
    var paymentFailure = 0.25
    /// The share of payments that failed unheard after which the buyer takes another card.
    var secondCards = 0.4
    /// The share of buyers who come when everything was healed, and of those who ask once more long afterwards.
    var stragglers = 0.1
    var returns = 0.15
    var lostKeys = Keys.all
    /// Half of the time that SQL takes for a call, at most.
    var storeDelayMax = Weather().storeDelay.upperBound
    /// How often an operator acts, at most how long after each other, and how many of the acts rebuild a bucket that needs it not.
    var acts: Int
    var actPause: Duration
    var rebuilds = 0.15
    /// The share of restocks that take units back.
    var reversals = 0.4
    /// The share of acts on state and freezes whose actor dies between SQL and Redis.
    var actorDies = 0.25
    /// How long a reservation waits for its payment; `nil`: for ever.
    var reservationTimeout: Duration?
    var latePayments = LatePaymentPolicy.refund
    /// Units of each SKU that one buyer may hold; empty: no limits, and nobody says who they are.
    var limits: [Int64?] = []
    /// Who buys, some of them more than once.
    var people: Int
    /// Flows older than this leave the ledgers; `nil`: none does.
    var horizon: Duration?
    var closing = Closing.never

    init(seed: UInt64, durability: Durability? = nil) {
        var random = SeededRandom(seed: seed, stream: 1)
        self.seed = seed
        switch random.unit() {
        case ..<0.6: self.durability = durability ?? .durable
        case ..<0.85: self.durability = durability ?? .memory
        case ..<0.95: self.durability = durability ?? .replicated(1)
        default: self.durability = durability ?? .aof
        }
        let fencedRate = random.pick(20...300)
        whileFenced =
            self.durability == .durable && random.chance(0.3) ? .sellInSQL(ordersPerSecond: fencedRate) : .tryAgain
        nodes = random.pick(1...3)
        buckets = random.pick(2...3)
        let skus = random.pick(buckets...6)
        units = (0..<skus).map { _ in Int64(random.chance(0.4) ? random.pick(3...12) : random.pick(12...60)) }
        processes = random.pick(1...3)
        buyers = random.pick(20...90)
        rush = random.duration(.milliseconds(400), .seconds(3))
        // Most worlds see a few kinds of trouble at once: one kind alone has time to show its corners.
        let all = Trouble.ofSeeds
        var troubles: Set<Trouble> = []
        if random.chance(0.95) {
            for _ in 0..<random.pick(1...4) { troubles.insert(random.element(all)) }
        }
        self.troubles = troubles
        faultPause = random.duration(.milliseconds(60), .milliseconds(600))
        acts = random.pick(0...4)
        actPause = rush
        people = max(3, buyers / 4)
        if random.chance(0.35) {
            reservationTimeout = random.duration(.milliseconds(500), .seconds(3))
            latePayments = random.chance(0.5) ? .reserveAgain : .refund
        }
        if random.chance(0.3) {
            limits = (0..<skus).map { _ in random.chance(0.7) ? Int64(random.pick(1...4)) : nil }
        }
        if random.chance(0.3) { horizon = random.duration(.milliseconds(300), .seconds(2)) }
        var ending = SeededRandom(seed: seed, stream: 8)
        switch ending.unit() {
        case ..<0.25: closing = .atTheEnd
        case ..<0.35: closing = .inTheRush
        default: closing = .never
        }
    }

    /// A long rush of many, at several engines, with faults close together.
    mutating func crowd() {
        buyers = 90
        rush = .seconds(3)
        processes = 3
        faultPause = .milliseconds(120)
    }

    /// Enough for everybody, however often they ask.
    mutating func plenty() {
        units = units.map { _ in 200 }
        limits = []
    }
}
