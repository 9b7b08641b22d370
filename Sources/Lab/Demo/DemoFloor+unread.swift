import Deduction
import Inventory
import Operations
import Reconciliation
import Redis

/// What could not be read at the end of a sale is unknown, not zero.
extension DemoFloor {
    /// Units on sale in every bucket; `nil` where some bucket did not answer, or holds something unreadable.
    func stockUnits(_ cuts: [BucketCut]) -> Int64? {
        guard cuts.count == service.catalogue.buckets.count else { return nil }
        var units: Int64 = 0
        for sku in cuts.flatMap(\.skus) {
            guard let stock = sku.stock else { return nil }
            units += stock
        }
        return units
    }

    /// Buckets that could not be compared, or did not answer a moment later.
    func unreadBuckets(_ comparison: Comparison, _ cuts: [BucketCut]) -> Set<BucketNumber> {
        Set(comparison.unread.keys)
            .union(Set(service.catalogue.buckets.map(\.number)).subtracting(cuts.map(\.bucket)))
    }

    /// One sentence a node: which did not answer, and what is unknown for that.
    func unreadSentences(_ comparison: Comparison, _ cuts: [BucketCut]) -> [String] {
        let answering = Set(cuts.map(\.bucket))
        let nodes = service.cluster.status
        func name(_ number: BucketNumber) -> String {
            guard let bucket = service.catalogue[number] else { return "a node" }
            let slot = HashSlot.of("{\(bucket.tag)}")
            let index = nodes.firstIndex { $0.slotRanges.contains { $0.contains(slot) } }
            return index.map { "node \($0 + 1) (\(nodes[$0].address))" } ?? "the node of slot \(slot)"
        }
        let byNode = Dictionary(grouping: unreadBuckets(comparison, cuts)) { name($0) }
        return byNode.sorted { $0.key < $1.key }.map { node, buckets in
            let silent = buckets.count { !answering.contains($0) }
            let why =
                silent > 0
                ? "did not answer"
                : "answered, but: \(buckets.sorted().lazy.compactMap { comparison.unread[$0] }.first ?? "?")"
            return
                "\(node) \(why); the books of its \(buckets.count.counted("bucket")) could not be compared, and what they hold is unknown"
        }
    }
}
