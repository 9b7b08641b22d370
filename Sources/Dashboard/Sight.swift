public import Inventory

/// What a screen wants to know that no snapshot holds. Whoever interprets effects looks it up, bounded, and answers with
/// `Message.seen`; a screen asks again while it is open.
public enum Look: Sendable, Hashable {
    case sku(SKUNumber)
    /// The newest orders, of one state or of any.
    case orders(OrderKind?)
    /// One order, by the text of its flow.
    case order(String)
    case audit
    case nodes
    /// Orders between which a person must choose, and dead letters.
    case losers
}

/// What was found.
public enum Sight: Sendable, Hashable {
    case sku(SKUSight)
    case orders([OrderSight])
    /// `nil`: SQL has no order under that flow.
    case order(OrderSight?)
    case audit([AuditSight])
    case nodes([ServerSight])
    case losers(LosersSight)
    /// Why it could not be looked up, in one line.
    case failed(String)
}

/// How an order stands in SQL.
public enum OrderKind: String, Sendable, Hashable, CaseIterable {
    case reserved, sold, cancelled, expired, void, overCapacity, partial

    /// As people say it.
    public var words: String { self == .overCapacity ? "over capacity" : rawValue }
}

/// One SKU's books, as far as they are worth showing.
public struct SKUSight: Sendable, Hashable {
    /// One entry of its ledger, in both stores.
    public struct Entry: Sendable, Hashable {
        public var flow: String
        public var atMilliseconds: UInt64
        public var units: Int64
        public var kind: OrderKind
        /// Whether Redis's ledger has it; `nil`: not asked or no answer.
        public var isInRedis: Bool?

        public init(flow: String, atMilliseconds: UInt64, units: Int64, kind: OrderKind, isInRedis: Bool?) {
            self.flow = flow
            self.atMilliseconds = atMilliseconds
            self.units = units
            self.kind = kind
            self.isInRedis = isInRedis
        }
    }

    /// Newest first.
    public var entries: [Entry]
    /// Acts on it, newest first.
    public var acts: [AuditSight]
    /// Why a part is missing, in one line.
    public var note: String?

    public init(entries: [Entry] = [], acts: [AuditSight] = [], note: String? = nil) {
        self.entries = entries
        self.acts = acts
        self.note = note
    }
}

/// One order.
public struct OrderSight: Sendable, Hashable {
    public struct Line: Sendable, Hashable {
        public var sku: SKUNumber
        public var name: String
        public var units: Int64
        public init(sku: SKUNumber, name: String, units: Int64) {
            self.sku = sku
            self.name = name
            self.units = units
        }
    }

    public var flow: String
    /// When its flow was made.
    public var atMilliseconds: UInt64
    public var kind: OrderKind
    public var lines: [Line]
    /// `a7 3-1042`: bucket and outbox entry.
    public var entry: String
    /// Unix milliseconds until which it is reserved; `nil`: no deadline.
    public var deadlineMilliseconds: UInt64?

    public init(
        flow: String, atMilliseconds: UInt64, kind: OrderKind, lines: [Line], entry: String,
        deadlineMilliseconds: UInt64? = nil
    ) {
        self.flow = flow
        self.atMilliseconds = atMilliseconds
        self.kind = kind
        self.lines = lines
        self.entry = entry
        self.deadlineMilliseconds = deadlineMilliseconds
    }

    public var units: Int64 { lines.reduce(0) { $0 + $1.units } }
}

/// One row of the audit.
public struct AuditSight: Sendable, Hashable {
    public var atMilliseconds: UInt64
    public var who: String
    public var origin: String
    public var what: String
    public var subject: String
    public var before: String
    public var after: String

    public init(
        atMilliseconds: UInt64, who: String, origin: String, what: String, subject: String, before: String,
        after: String
    ) {
        self.atMilliseconds = atMilliseconds
        self.who = who
        self.origin = origin
        self.what = what
        self.subject = subject
        self.before = before
        self.after = after
    }

    var isRefused: Bool { after.hasPrefix("refused") || after.hasPrefix("failed") }
}

/// What one server says of itself.
public struct ServerSight: Sendable, Hashable {
    public struct Replica: Sendable, Hashable {
        public var address: String
        public var isOnline: Bool
        /// Bytes of the master's writes that it does not have.
        public var behindBytes: Int64?
        public init(address: String, isOnline: Bool, behindBytes: Int64?) {
            self.address = address
            self.isOnline = isOnline
            self.behindBytes = behindBytes
        }
    }

    public var address: String
    /// `7.0.15`
    public var version: String
    public var uptimeSeconds: Double?
    /// `everysec`, `off`
    public var appendOnly: String
    public var evictionPolicy: String
    public var memoryBytes: Int64?
    /// `nil`: no limit of its own.
    public var memoryLimitBytes: Int64?
    public var clients: Int?
    public var commandsPerSecond: Double?
    public var evictedKeys: Int64?
    public var expiredKeys: Int64?
    public var replicas: [Replica]
    /// Why it could not be asked, in one line.
    public var failure: String?

    public init(
        address: String, version: String = "", uptimeSeconds: Double? = nil, appendOnly: String = "",
        evictionPolicy: String = "", memoryBytes: Int64? = nil, memoryLimitBytes: Int64? = nil, clients: Int? = nil,
        commandsPerSecond: Double? = nil, evictedKeys: Int64? = nil, expiredKeys: Int64? = nil,
        replicas: [Replica] = [], failure: String? = nil
    ) {
        self.address = address
        self.version = version
        self.uptimeSeconds = uptimeSeconds
        self.appendOnly = appendOnly
        self.evictionPolicy = evictionPolicy
        self.memoryBytes = memoryBytes
        self.memoryLimitBytes = memoryLimitBytes
        self.clients = clients
        self.commandsPerSecond = commandsPerSecond
        self.evictedKeys = evictedKeys
        self.expiredKeys = expiredKeys
        self.replicas = replicas
        self.failure = failure
    }
}

/// Who would lose where more was promised than there is.
public struct LosersSight: Sendable, Hashable {
    /// One sentence each, who loses first comes first; at most 100.
    public var losers: [String]
    /// Orders beyond capacity that would find room.
    public var takenIn: [String]
    /// By which rule: `newestFirst`.
    public var policy: String
    /// How many would lose, listed or not.
    public var losersCount: Int

    public init(losers: [String] = [], takenIn: [String] = [], policy: String = "", losersCount: Int = 0) {
        self.losers = losers
        self.takenIn = takenIn
        self.policy = policy
        self.losersCount = losersCount
    }
}
