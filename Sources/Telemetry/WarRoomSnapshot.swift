public import Inventory

/// Everything the war room shows, at one moment. A sampler fills it, the screen reads it, the latest wins.
///
/// What a source cannot know is `nil`, never zero: `watch` on somebody else's Redis sees no refusals.
public struct WarRoomSnapshot: Sendable, Hashable {
    public struct SKU: Sendable, Hashable, Identifiable {
        public var id: SKUNumber { number }
        public var number: SKUNumber
        public var sku: String
        public var name: String
        public var tag: String
        /// Position in `nodes`; `nil` while its slot is nobody's.
        public var node: Int?
        public var allocated: Int64
        /// Units left in Redis; `nil` while its bucket does not answer.
        public var stock: Int64?
        /// Units taken (sold + reserved): by Redis while it answers, else by SQL.
        public var taken: Int64
        public var unitsPerSecond: Double
        /// Units per second, oldest first, one a second, at most 60.
        public var history: [Float]
        public var frozen: Bool
        public var fenced: Bool
        /// Units acknowledged beyond the allocation; in `watch` SQL's rows beyond capacity.
        public var oversold: Int64
        /// At or below this share of the allocation it is low.
        public var lowShare = lowShareStandard
        /// The share where nothing was configured.
        public static let lowShareStandard = 0.1
        /// Orders a second that an engine lets through; `nil`: no limit.
        public var rateLimit: RateLimit?
        /// Units per second over ten seconds each, oldest first, at most 360; empty where nothing sold for long, or where too many
        /// others sell to keep it.
        public var hour: [Float] = []
        /// Fields of its ledger in Redis; `nil` while its bucket does not answer.
        public var ledgerEntries: Int64?
        /// Somebody else's key, without SQL: `allocated` is the most that was ever seen there, `taken` what was seen to go.
        public var isForeign = false
        /// The user of this process may not read its bucket: `stock` is not known, and nothing is wrong with it.
        public var isUnseen = false

        public init(
            number: SKUNumber, sku: String, name: String, tag: String, node: Int?, allocated: Int64, stock: Int64?,
            taken: Int64, unitsPerSecond: Double, history: [Float], frozen: Bool, fenced: Bool, oversold: Int64
        ) {
            self.number = number
            self.sku = sku
            self.name = name
            self.tag = tag
            self.node = node
            self.allocated = allocated
            self.stock = stock
            self.taken = taken
            self.unitsPerSecond = unitsPerSecond
            self.history = history
            self.frozen = frozen
            self.fenced = fenced
            self.oversold = oversold
        }
    }

    /// A limit on the rate of orders.
    public struct RateLimit: Sendable, Hashable {
        public var ordersPerSecond: Double
        /// Orders that it has turned away since the start.
        public var turnedAway: Int64
        public init(ordersPerSecond: Double, turnedAway: Int64) {
            self.ordersPerSecond = ordersPerSecond
            self.turnedAway = turnedAway
        }
    }

    public struct Node: Sendable, Hashable {
        /// `127.0.0.1:7001`
        public var address: String
        public var isUp: Bool
        /// Seconds since it went up or down.
        public var sinceSeconds: Double
        /// Orders per second on its buckets.
        public var ordersPerSecond: Double
        public var callsPerSecond: Double
        public var p99Milliseconds: Double
        public var errors: UInt64
        public var buckets: Int
        public var fencedBuckets: Int
        /// Bytes that Redis uses; `nil` if not known.
        public var memoryBytes: Int64?
        /// Orders a second that an engine lets through; `nil`: no limit.
        public var rateLimit: RateLimit?
        /// Slots that it owns, in ascending ranges.
        public var slots: [ClosedRange<Int>] = []
        /// Calls that wait for their answer.
        public var inFlight = 0
        public var p50Milliseconds = 0.0
        /// Why it is down, or why it last was.
        public var lastError: String?
        /// Of the buckets that were fenced since any last was: those that are open again.
        public var recoveredBuckets = 0
        /// Bytes that it may use; `nil`: no limit of its own.
        public var memoryLimitBytes: Int64?

        public init(
            address: String, isUp: Bool, sinceSeconds: Double, ordersPerSecond: Double, callsPerSecond: Double,
            p99Milliseconds: Double, errors: UInt64, buckets: Int, fencedBuckets: Int, memoryBytes: Int64?
        ) {
            self.address = address
            self.isUp = isUp
            self.sinceSeconds = sinceSeconds
            self.ordersPerSecond = ordersPerSecond
            self.callsPerSecond = callsPerSecond
            self.p99Milliseconds = p99Milliseconds
            self.errors = errors
            self.buckets = buckets
            self.fencedBuckets = fencedBuckets
            self.memoryBytes = memoryBytes
        }
    }

    public struct Tag: Sendable, Hashable {
        public var tag: String
        public var slot: Int
        /// Position in `nodes`.
        public var node: Int?
        public var ordersPerSecond: Double
        /// Its hottest SKUs, hottest first, at most four.
        public var skus: [String]
        public var fenced: Bool

        public init(tag: String, slot: Int, node: Int?, ordersPerSecond: Double, skus: [String], fenced: Bool) {
            self.tag = tag
            self.slot = slot
            self.node = node
            self.ordersPerSecond = ordersPerSecond
            self.skus = skus
            self.fenced = fenced
        }
    }

    public struct Ledger: Sendable, Hashable {
        /// Orders in Redis's ledgers, by the outbox's count.
        public var entries: Int64
        public var entriesPerSecond: Double
        /// Ledger entries per second, oldest first, one a second, at most 120.
        public var history: [Float]
        /// Orders in SQL.
        public var persisted: Int64
        /// Outbox entries that SQL does not have yet.
        public var backlogEntries: Int64
        /// Age of the oldest of them.
        public var backlogMilliseconds: Int64
        /// Nobody who works on the sale takes them to SQL.
        public var isUnattended = false
        /// Median and 99th percentile from call to SQL, over the last minute.
        public var lagP50Milliseconds: Double
        public var lagP99Milliseconds: Double
        public var redisBytes: Int64?
        public var pendingGiveBacks: Int64
        public var deadLetters: Int64
        /// What SQL last refused, in one line.
        public var storeError: String?
        /// Orders older than the dedupe horizon that were taken out of the ledgers since start.
        public var archivedOrders: Int64
        /// Bytes that all masters may use, by their own limits or their machines'; `nil`: not known.
        public var memoryLimitBytes: Int64?
        /// Seconds until the first server is full, at the growth of the last minute; `nil`: none grows.
        public var memoryFullSeconds: Double?

        public init(
            entries: Int64 = 0, entriesPerSecond: Double = 0, history: [Float] = [], persisted: Int64 = 0,
            backlogEntries: Int64 = 0, backlogMilliseconds: Int64 = 0, lagP50Milliseconds: Double = 0,
            lagP99Milliseconds: Double = 0, redisBytes: Int64? = nil, pendingGiveBacks: Int64 = 0,
            deadLetters: Int64 = 0,
            storeError: String? = nil, archivedOrders: Int64 = 0
        ) {
            self.entries = entries
            self.entriesPerSecond = entriesPerSecond
            self.history = history
            self.persisted = persisted
            self.backlogEntries = backlogEntries
            self.backlogMilliseconds = backlogMilliseconds
            self.lagP50Milliseconds = lagP50Milliseconds
            self.lagP99Milliseconds = lagP99Milliseconds
            self.redisBytes = redisBytes
            self.pendingGiveBacks = pendingGiveBacks
            self.deadLetters = deadLetters
            self.storeError = storeError
            self.archivedOrders = archivedOrders
        }
    }

    public struct Drift: Sendable, Hashable {
        public var units: Int64
        public var unitsPeak: Int64
        public var byKind: [DriftKind: Int64]
        /// Seconds since the last cut; `nil`: none yet.
        public var cutAgeSeconds: Double?
        public var cuts: Int
        /// Findings in plain sentences, worst first, at most 50.
        public var findings: [String]
        /// Why some buckets could not be compared.
        public var unread: Int
        /// By the buyers' own record (demo) or SQL's rows beyond capacity (watch).
        public var oversoldUnits: Int64
        /// Acknowledged orders that no book holds any more; `nil` where no buyer's record exists.
        public var lostOrders: Int64?
        public var lostUnits: Int64?

        public init(
            units: Int64 = 0, unitsPeak: Int64 = 0, byKind: [DriftKind: Int64] = [:], cutAgeSeconds: Double? = nil,
            cuts: Int = 0, findings: [String] = [], unread: Int = 0, oversoldUnits: Int64 = 0, lostOrders: Int64? = nil,
            lostUnits: Int64? = nil
        ) {
            self.units = units
            self.unitsPeak = unitsPeak
            self.byKind = byKind
            self.cutAgeSeconds = cutAgeSeconds
            self.cuts = cuts
            self.findings = findings
            self.unread = unread
            self.oversoldUnits = oversoldUnits
            self.lostOrders = lostOrders
            self.lostUnits = lostUnits
        }
    }

    public struct Orders: Sendable, Hashable {
        public var acceptedPerSecond: Double
        /// Accepted orders per second, oldest first, one a second, at most 60.
        public var history: [Float]
        public var accepted: Int64
        public var refused: Int64?
        public var unknown: Int64?
        public var released: Int64
        /// Of the last minute; `nil` where nothing was measured in it.
        public var p50Milliseconds: Double?
        public var p99Milliseconds: Double?
        /// Buyers at work per second as asked for; `nil`: not a demo. 0: nobody is buying.
        public var buyersPerSecond: Double?

        public init(
            acceptedPerSecond: Double = 0, history: [Float] = [], accepted: Int64 = 0, refused: Int64? = nil,
            unknown: Int64? = nil, released: Int64 = 0, p50Milliseconds: Double? = nil, p99Milliseconds: Double? = nil,
            buyersPerSecond: Double? = nil
        ) {
            self.acceptedPerSecond = acceptedPerSecond
            self.history = history
            self.accepted = accepted
            self.refused = refused
            self.unknown = unknown
            self.released = released
            self.p50Milliseconds = p50Milliseconds
            self.p99Milliseconds = p99Milliseconds
            self.buyersPerSecond = buyersPerSecond
        }
    }

    public struct Event: Sendable, Hashable {
        public enum Severity: Int, Sendable, Comparable {
            case info, good, warning, bad
            public static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
        }
        /// Grows by one for each event.
        public var number: Int
        public var atMilliseconds: UInt64
        public var severity: Severity
        /// One plain sentence with its numbers.
        public var text: String
        /// The alert whose beginning or end it tells (`Alert.identity`), so that nobody is told twice; `nil`: none's.
        public var alert: String?
        public init(number: Int, atMilliseconds: UInt64, severity: Severity, text: String, alert: String? = nil) {
            self.number = number
            self.atMilliseconds = atMilliseconds
            self.severity = severity
            self.text = text
            self.alert = alert
        }
    }

    /// How far the start has come; the first frame is drawn before anything serves.
    public enum Phase: Sendable, Hashable {
        /// What is being done, in a few words.
        case starting(String)
        case live
        /// The sources do not answer: seconds since they last did.
        case stale(Double)
    }

    public var phase: Phase
    public var saleName: String
    public var saleState: SaleState
    /// Seconds since the sale was first opened.
    public var openSeconds: Double?
    public var durability: Durability
    /// `cluster 3`, `single`
    public var topology: String
    /// Shown where the user must find them: `redis://127.0.0.1:7001`, `sqlite:/tmp/…/books.sqlite`.
    public var redisURL: String
    public var ordersURL: String
    public var skus: [SKU]
    public var nodes: [Node]
    /// By rate, hottest first, at most ten.
    public var hottestTags: [Tag]
    public var bucketCount: Int
    public var fencedBuckets: Int
    /// Buckets that Redis calls halted while SQL calls the sale open.
    public var haltedAheadBuckets = 0
    public var recoveries: Int
    public var orders: Orders
    public var ledger: Ledger
    public var drift: Drift
    public var life = Life()
    /// Every bucket, by slot.
    public var buckets: [Bucket] = []
    public var counts = OrderCounts()
    public var series = Series()
    /// How it is watched, where no SQL tells about it: then there are no orders, no drift, no acts. `nil`: a sale of ours.
    public var foreign: Foreign?
    /// Commands that the server forbids us.
    public var denied: [Denied] = []
    /// Newest last, at most 200.
    public var events: [Event]
    /// Worst first.
    public var alerts: [Alert]
    /// When this process is to open the sale; `nil`: nothing is to open by itself.
    public var opening: ScheduledOpening?

    public init(
        phase: Phase, saleName: String, saleState: SaleState, openSeconds: Double? = nil, durability: Durability,
        topology: String, redisURL: String = "", ordersURL: String = "", skus: [SKU] = [], nodes: [Node] = [],
        hottestTags: [Tag] = [], bucketCount: Int = 0, fencedBuckets: Int = 0, recoveries: Int = 0,
        orders: Orders = Orders(), ledger: Ledger = Ledger(), drift: Drift = Drift(), events: [Event] = [],
        alerts: [Alert] = []
    ) {
        self.phase = phase
        self.saleName = saleName
        self.saleState = saleState
        self.openSeconds = openSeconds
        self.durability = durability
        self.topology = topology
        self.redisURL = redisURL
        self.ordersURL = ordersURL
        self.skus = skus
        self.nodes = nodes
        self.hottestTags = hottestTags
        self.bucketCount = bucketCount
        self.fencedBuckets = fencedBuckets
        self.recoveries = recoveries
        self.orders = orders
        self.ledger = ledger
        self.drift = drift
        self.events = events
        self.alerts = alerts
    }
}
