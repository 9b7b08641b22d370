public import Inventory

/// What would mend the findings: data, to be printed, kept, and applied or not.
public struct RepairPlan: Sendable {
    public enum State: String, Sendable, Codable {
        case planned, applied, alreadyApplied, recovered
        /// Another process recovered the bucket meanwhile.
        case recoveredByAnother
        case failed

        /// As people read it.
        public var words: String { self == .recoveredByAnother ? "another process recovered it" : rawValue }
    }

    public struct Repair: Sendable {
        /// Kept in the ledger once applied, so that applying twice acts once.
        public let id: String
        public let kind: DriftKind
        public let bucket: BucketNumber
        public let sku: SKUNumber?
        public let units: Int64
        public let flows: [FlowID]
        /// The literal effect, in one sentence.
        public let effect: String
        /// The epoch of the bucket when it was compared; `nil`: it was not read.
        public let foundUnder: Epoch?
        public var state: State
        public var failure: String?
    }

    public var repairs: [Repair]

    /// A plan for what two comparisons agree on; what only one of them names is left alone.
    public init(agreeing first: Comparison, _ second: Comparison, catalogue: Catalogue) {
        let seen = Set(first.drifts.map(\.identity))
        repairs = second.drifts.filter { seen.contains($0.identity) }.map { finding in
            Repair(
                id: finding.repairID, kind: finding.kind, bucket: finding.bucket, sku: finding.sku,
                units: finding.units, flows: finding.flows, effect: Self.effect(of: finding, catalogue),
                foundUnder: second.epochs[finding.bucket], state: .planned)
        }
    }

    private static func effect(of finding: Finding, _ catalogue: Catalogue) -> String {
        let tag = catalogue[finding.bucket]?.tag ?? "?"
        let name = finding.sku.flatMap { catalogue[$0]?.sku } ?? "?"
        if finding.kind.needsRecovery { return "rebuild bucket \(tag) from SQL under a new epoch" }
        switch finding.kind {
        case .missingLedgerEntry:
            return "\(name): write \(finding.flows.count.counted("order")) into Redis's ledger; stock stays"
        case .unpersisted:
            return finding.flows.isEmpty
                ? "\(name): put \(finding.units.counted("unit")) that no order explains back on sale"
                : "\(name): write \(finding.flows.count.counted("order")) from Redis's ledger into SQL"
        case .lostInRedis: return "\(name): take \(finding.units.counted("unit")) off sale in Redis: SQL sold them"
        case .halfDone:
            return
                "finish \(finding.flows.count.counted("order")) if every bucket took it, else give back what was taken"
        default: return "\(name): \(finding.sentence); for a person to decide"
        }
    }
}
