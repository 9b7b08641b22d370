public import Inventory
public import OrderStore
import Synchronization

/// An order store that can be out of reach, for what a running sale asks of it: epochs, orders, the sale's state.
public final class SilentOrderStore: OrderStoreDecorator {
    private let real: any OrderStore
    private let isSilent = Mutex(false)
    public var base: any OrderStore { real }

    public init(_ base: any OrderStore) { real = base }

    public func setSilent(_ silent: Bool) { isSilent.withLock { $0 = silent } }

    private func reach() throws -> any OrderStore {
        guard !isSilent.withLock({ $0 }) else { throw OrderStoreError(.refused, "the order store does not answer") }
        return real
    }

    public func commit(_ batch: CommitBatch) async throws -> CommitResult { try await reach().commit(batch) }
    public func sale() async throws -> Sale? { try await reach().sale() }
    public func setSaleState(from: Set<SaleState>, to: SaleState) async throws -> Sale {
        try await reach().setSaleState(from: from, to: to)
    }
    public func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch {
        try await reach().claimEpoch(bucket: bucket, above: above, by: claimant)
    }
    public func buckets() async throws -> [BucketRecord] { try await reach().buckets() }
    public func bucketControls() async throws -> [BucketControl] { try await reach().bucketControls() }
    public func cancel(_ orders: [Order]) async throws -> [CancelResult] { try await reach().cancel(orders) }
    public func audit(_ entry: AuditEntry) async throws { try await reach().audit(entry) }
}
