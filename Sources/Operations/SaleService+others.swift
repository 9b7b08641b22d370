public import Inventory
import OrderStore
public import Reconciliation

extension SaleService {
    /// Waits for the buckets that could not be compared because another process is recovering them.
    ///
    /// - Parameter before: the comparison in which they could still be read, or that found them being recovered.
    /// - Returns: those that are open again. What nobody works at any more is not among them.
    public func waitForOthers(_ comparison: Comparison, since before: Comparison) async -> [BucketNumber] {
        let records = (try? await store.buckets()) ?? []
        let waiting = records.filter { record in
            guard comparison.unread[record.bucket] != nil, let found = before.epochs[record.bucket] else {
                return false
            }
            return record.epoch > found || record.state == .recovering
        }
        return await withTaskGroup(of: BucketNumber?.self) { group in
            for record in waiting {
                group.addTask { [recoverer] in
                    let found = before.epochs[record.bucket] ?? .none
                    let isOpen = await recoverer.isOpenedByAnother(
                        record.bucket, since: found, wasBegun: record.state == .recovering)
                    return isOpen ? record.bucket : nil
                }
            }
            return await group.reduce(into: []) { if let bucket = $1 { $0.append(bucket) } }.sorted()
        }
    }
}
