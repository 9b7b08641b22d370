import Deduction
import Inventory
import OrderStore

/// What one look at a ledger found that SQL does not say.
struct LedgerLook {
    struct HeldDifference: Hashable {
        let buyer: BuyerID
        let inRedis: Int64
        let inSQL: Int64
    }

    var differences: Set<Reconciler.LedgerDifference>
    var held: Set<HeldDifference>
    /// Names of fields that no script writes.
    var foreign: Set<[UInt8]>
    /// Marks of repairs.
    var marks: Set<String>

    var differs: Bool { !differences.isEmpty || !held.isEmpty || !foreign.isEmpty }

    /// What a second look finds too; the sale goes on between the two.
    ///
    /// What buyers hold is told only where the second look sees no flow on its way: a buyer's count moves with the flows, and
    /// which buyer a flow on its way belongs to a ledger does not say.
    func confirmed(by second: LedgerLook) -> LedgerLook {
        LedgerLook(
            differences: differences.intersection(second.differences),
            held: second.differences.isEmpty ? held.intersection(second.held) : [],
            foreign: foreign.intersection(second.foreign), marks: second.marks)
    }
}

/// Beyond flows: what buyers hold of a limited SKU, and fields that are nobody's.
extension Reconciler {
    func heldDifferences(_ sku: SKUNumber, _ redis: [BuyerID: Int64]) async throws -> Set<LedgerLook.HeldDifference> {
        guard catalogue[sku]?.limitPerBuyer != nil || !redis.isEmpty else { return [] }
        var redis = redis
        var result: Set<LedgerLook.HeldDifference> = []
        var after: BuyerID?
        while true {
            let page = try await store.heldUnits(sku: sku, after: after, limit: Self.pageRows)
            for held in page {
                let units = redis.removeValue(forKey: held.buyer) ?? 0
                if units != held.units {
                    result.insert(.init(buyer: held.buyer, inRedis: units, inSQL: held.units))
                }
            }
            guard page.count == Self.pageRows, let last = page.last else { break }
            after = last.buyer
        }
        for (buyer, units) in redis { result.insert(.init(buyer: buyer, inRedis: units, inSQL: 0)) }
        return result
    }

    func explain(_ bucket: Bucket, _ sku: SKUNumber, _ look: LedgerLook) -> [Finding] {
        let name = catalogue[sku]?.sku ?? "?"
        var findings: [Finding] = []
        if let worst = look.held.max(by: { abs($0.inRedis - $0.inSQL) < abs($1.inRedis - $1.inSQL) }) {
            findings.append(
                Finding(
                    kind: .unbalanced, bucket: bucket.number, sku: sku,
                    units: look.held.reduce(0) { $0 + abs($1.inRedis - $1.inSQL) },
                    sentence: """
                        \(name): what \(look.held.count.counted("buyer")) hold differs, \(worst.buyer) by Redis \
                        \(worst.inRedis.counted("unit")), by SQL \(worst.inSQL): the limit per buyer cannot be kept
                        """))
        }
        if !look.foreign.isEmpty {
            findings.append(
                Finding(
                    kind: .foreignField, bucket: bucket.number, sku: sku, units: Int64(look.foreign.count),
                    sentence: """
                        \(name): \(look.foreign.count.counted("field")) in its ledger that sellout does not write; \
                        rebuilding the bucket takes them out
                        """))
        }
        return findings
    }
}
