public import Inventory
import OrderStore
public import Reconciliation

extension SaleService {
    /// Compares flow by flow, and again as long as buckets could not be compared because others were recovering them, and now are
    /// open.
    ///
    /// - Returns: the last comparison, and the buckets that were waited for.
    public func compareAfterOthers() async -> (Comparison, [BucketNumber]) {
        var comparison = await compare(ledgers: true)
        var opened: Set<BucketNumber> = []
        while !comparison.unread.isEmpty {
            let more = await waitForOthers(comparison, since: comparison)
            guard !more.isEmpty, !Task.isCancelled else { break }
            opened.formUnion(more)
            comparison = await compare(ledgers: true)
        }
        return (comparison, opened.sorted())
    }

    /// Waits for the buckets that could not be compared because another process is recovering them.
    ///
    /// - Parameter before: the comparison in which they could still be read, or that found them being recovered.
    /// - Returns: those that are open again. What nobody works at any more is not among them.
    public func waitForOthers(_ comparison: Comparison, since before: Comparison) async -> [BucketNumber] {
        let records = (try? await store.buckets()) ?? []
        @Sendable func wasBegun(_ record: BucketRecord) -> Bool {
            record.state == .recovering || comparison.recovering.contains(record.bucket)
        }
        let waiting = records.filter { record in
            guard comparison.unread[record.bucket] != nil, let found = before.epochs[record.bucket] else {
                return false
            }
            return record.epoch > found || wasBegun(record)
        }
        return await withTaskGroup(of: BucketNumber?.self) { group in
            for record in waiting {
                group.addTask { [recoverer] in
                    let found = before.epochs[record.bucket] ?? .none
                    let isOpen = await recoverer.isOpenedByAnother(
                        record.bucket, since: found, wasBegun: wasBegun(record))
                    return isOpen ? record.bucket : nil
                }
            }
            return await group.reduce(into: []) { if let bucket = $1 { $0.append(bucket) } }.sorted()
        }
    }
}
