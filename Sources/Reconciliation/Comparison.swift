public import Inventory

/// One disagreement between the books.
public struct Finding: Sendable, Hashable {
    public let kind: DriftKind
    public let bucket: BucketNumber
    /// `nil`: the whole bucket.
    public let sku: SKUNumber?
    /// Units by which the books differ, never negative.
    public let units: Int64
    /// The flows behind it, where a ledger names them; at most `flowsMax`.
    public let flows: [FlowID]
    /// One plain sentence with its numbers.
    public let sentence: String
    /// How often the very same was found and mended before: what tells a new repair from one applied twice.
    public var mendedBefore = 0

    public static let flowsMax = 10_000

    public init(
        kind: DriftKind, bucket: BucketNumber, sku: SKUNumber?, units: Int64, flows: [FlowID] = [], sentence: String
    ) {
        self.kind = kind
        self.bucket = bucket
        self.sku = sku
        self.units = units
        self.flows = flows
        self.sentence = sentence
    }

    /// The name of the next repair of it, the same whoever plans it: FNV-1a over what it says, and its number.
    public var repairID: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in identity.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits + "-\(mendedBefore)"
    }

    /// What makes two findings of two cuts the same.
    public var identity: String {
        "\(kind.rawValue) \(bucket.rawValue) \(sku?.rawValue ?? -1) \(units) \(flows.map(\.description).joined(separator: ","))"
    }
}

/// The result of comparing Redis and SQL bucket by bucket.
public struct Comparison: Sendable {
    public let findings: [Finding]
    /// Buckets that were cut and compared.
    public let cuts: Int
    /// Buckets that could not be read, and why: unknown, not good.
    public let unread: [BucketNumber: String]
    /// Unix milliseconds.
    public let atMilliseconds: UInt64
    public let duration: Duration
    /// The epochs under which the buckets were compared, where they were read.
    public var epochs: [BucketNumber: Epoch] = [:]
    /// Of the unread, those that somebody was recovering.
    public var recovering: Set<BucketNumber> = []

    public init(
        findings: [Finding], cuts: Int, unread: [BucketNumber: String], atMilliseconds: UInt64, duration: Duration
    ) {
        self.findings = findings
        self.cuts = cuts
        self.unread = unread
        self.atMilliseconds = atMilliseconds
        self.duration = duration
    }

    /// Units that disagree; what is merely on its way does not count.
    public var driftUnits: Int64 { findings.filter(\.kind.countsAsDrift).reduce(0) { $0 + $1.units } }

    /// Units that disagree for a reason: `DriftKind.needsCause`.
    public var causedUnits: Int64 { findings.filter(\.kind.needsCause).reduce(0) { $0 + $1.units } }

    /// Units by kind, every kind present.
    public var unitsByKind: [DriftKind: Int64] {
        var result = Dictionary(uniqueKeysWithValues: DriftKind.allCases.map { ($0, Int64(0)) })
        for finding in findings { result[finding.kind]! += finding.units }
        return result
    }

    /// The same without what it says of `buckets`: they are being rebuilt.
    public func leavingOut(_ buckets: Set<BucketNumber>) -> Comparison {
        guard !buckets.isEmpty else { return self }
        var unread = unread
        for finding in findings where buckets.contains(finding.bucket) {
            unread[finding.bucket] = "it is being rebuilt"
        }
        let kept = findings.filter { !buckets.contains($0.bucket) }
        var comparison = Comparison(
            findings: kept, cuts: cuts - (unread.count - self.unread.count), unread: unread,
            atMilliseconds: atMilliseconds, duration: duration)
        comparison.epochs = epochs
        comparison.recovering = recovering.union(unread.keys.filter { self.unread[$0] == nil })
        return comparison
    }

    public var drifts: [Finding] { findings.filter(\.kind.countsAsDrift) }
}
