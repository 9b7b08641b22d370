extension WarRoomSnapshot {
    /// Something that is wrong, or will be.
    public struct Alert: Sendable, Hashable {
        /// What it is about, worst first where severities are equal.
        public enum Kind: Int, Sendable, Hashable, CaseIterable, Comparable {
            case oversold, lost, nodeDown, drift, haltedAhead, paused, store, evicted, promise, unattended, errors,
                memory, fenced,
                outboxAge, hotSlot, skew, deadLetters, refunds, lowStock, other
            public static func < (left: Kind, right: Kind) -> Bool { left.rawValue < right.rawValue }
        }

        public var severity: Event.Severity
        /// One plain sentence with its numbers.
        public var text: String
        public var kind = Kind.other
        /// Which node or slot, where there may be several of a kind.
        public var subject = ""
        /// Unix milliseconds; `nil`: nobody noted it.
        public var sinceMilliseconds: UInt64?

        public init(
            severity: Event.Severity, text: String, kind: Kind = .other, subject: String = "",
            sinceMilliseconds: UInt64? = nil
        ) {
            self.severity = severity
            self.text = text
            self.kind = kind
            self.subject = subject
            self.sinceMilliseconds = sinceMilliseconds
        }

        /// What stays the same while its numbers move; `nil`: only its text tells it from others.
        public var identity: String? { Self.identity(kind, subject) }

        public static func identity(_ kind: Kind, _ subject: String) -> String? {
            kind == .other ? nil : "\(kind) \(subject)"
        }
    }
}
