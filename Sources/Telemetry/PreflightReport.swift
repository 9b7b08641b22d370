/// The list that is gone through before a sale opens, each item as soon as it is decided.
public struct PreflightReport: Sendable, Hashable {
    public enum Item: String, Sendable, CaseIterable, Hashable {
        case servers, scripts, stock, drift, replicas, memory, eviction, expiry, durability, clock

        /// What must hold.
        public var title: String {
            switch self {
            case .servers: "every server answers"
            case .scripts: "scripts on every node"
            case .stock: "stock loaded, as in SQL"
            case .drift: "drift 0"
            case .replicas: "replicas in step"
            case .memory: "memory for the ledgers"
            case .eviction: "nothing is evicted"
            case .expiry: "no key of it expires"
            case .durability: "the promise can be kept"
            case .clock: "clocks agree"
            }
        }
    }

    public enum Verdict: Sendable, Hashable {
        case waiting
        /// It holds; in a few words with its numbers.
        case ok(String)
        /// It does not, and why. May it be overridden, then opening all the same breaks nothing that the sale promises: something only
        /// does not sell, or sells until it is stopped.
        case bad(String, mayBeOverridden: Bool)
    }

    public enum Decision: Sendable, Hashable {
        case deciding
        case go
        case noGo(mayBeOverridden: Bool)
    }

    public private(set) var verdicts: [Item: Verdict]

    /// Everything still waits.
    public init() { verdicts = Dictionary(uniqueKeysWithValues: Item.allCases.map { ($0, .waiting) }) }

    public func verdict(_ item: Item) -> Verdict { verdicts[item] ?? .waiting }

    public mutating func decide(_ item: Item, _ verdict: Verdict) { verdicts[item] = verdict }

    /// Which item is being looked at: the first that waits.
    public var current: Item? { Item.allCases.first { verdict($0) == .waiting } }

    public var decision: Decision {
        if current != nil { return .deciding }
        let overrides = Item.allCases.compactMap { item in
            if case .bad(_, let mayBeOverridden) = verdict(item) { mayBeOverridden } else { nil }
        }
        return overrides.isEmpty ? .go : .noGo(mayBeOverridden: overrides.allSatisfy { $0 })
    }

    /// Why not, an item each, in the list's order.
    public var reasons: [String] {
        Item.allCases.compactMap { if case .bad(let reason, _) = verdict($0) { reason } else { nil } }
    }

    /// `GO`, `NO-GO: …` in one line.
    public var sentence: String {
        switch decision {
        case .deciding: "still checking: \(current?.title ?? "")"
        case .go: "GO: all \(Item.allCases.count) checks are well"
        case .noGo:
            "NO-GO: \(reasons.first ?? "")" + (reasons.count > 1 ? " (and \(reasons.count - 1) more)" : "")
        }
    }
}

/// A sale that this process opens at a moment to come. It lives in this process, and ends with it.
public struct ScheduledOpening: Sendable, Hashable {
    /// Unix milliseconds.
    public var atMilliseconds: UInt64
    public var secondsLeft: Double
    public init(atMilliseconds: UInt64, secondsLeft: Double) {
        self.atMilliseconds = atMilliseconds
        self.secondsLeft = secondsLeft
    }
}
