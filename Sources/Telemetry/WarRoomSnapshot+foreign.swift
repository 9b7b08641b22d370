extension WarRoomSnapshot {
    /// What a place is watched by where no SQL tells about it: keys, and what reading them costs.
    public struct Foreign: Sendable, Hashable {
        /// How the stock's keys are made.
        public var stockKeys: String
        /// `nil`: there is no ledger, and rates are what leaves the stock.
        public var ledgerKeys: String?
        /// Whether every key has been looked at once.
        public var isScanned = false
        /// How far the search for SKUs has come, in one line.
        public var scan: String
        /// Each SKU is read anew within so many seconds; what is in sight or sells, each second.
        public var sweepSeconds: Int
        /// Keys read a second, the last one counted.
        public var readsPerSecond: Int
        public var readsPerSecondMax: Int
        /// Keys looked at in search of SKUs, a second.
        public var scanKeysPerSecond: Int

        public init(
            stockKeys: String, ledgerKeys: String?, scan: String = "", sweepSeconds: Int = 1, readsPerSecond: Int = 0,
            readsPerSecondMax: Int = 0, scanKeysPerSecond: Int = 0
        ) {
            self.stockKeys = stockKeys
            self.ledgerKeys = ledgerKeys
            self.scan = scan
            self.sweepSeconds = sweepSeconds
            self.readsPerSecond = readsPerSecond
            self.readsPerSecondMax = readsPerSecondMax
            self.scanKeysPerSecond = scanKeysPerSecond
        }
    }

    /// A command that the server forbids us, and which part of the screen stays grey for it.
    public struct Denied: Sendable, Hashable, Comparable {
        /// What it feeds.
        public enum Part: String, Sendable, Hashable, CaseIterable { case stock, ledger, memory, nodes, search }
        public var part: Part
        /// As an ACL rule grants it: `+info`, `+cluster|slots`.
        public var rule: String
        public init(part: Part, rule: String) {
            self.part = part
            self.rule = rule
        }
        public static func < (left: Denied, right: Denied) -> Bool {
            (left.part.rawValue, left.rule) < (right.part.rawValue, right.rule)
        }
    }

    /// The rules that a part of the screen lacks, in words; `nil`: it lacks none.
    public func needs(_ parts: Denied.Part...) -> String? {
        let rules = Set(denied.filter { parts.contains($0.part) }.map(\.rule)).sorted()
        return rules.isEmpty ? nil : "needs " + rules.joined(separator: " ")
    }
}
