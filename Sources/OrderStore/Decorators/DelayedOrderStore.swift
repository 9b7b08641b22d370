import Inventory

/// An order store whose `commit` starts late: what a slow drain looks like, without a hook in production types.
///
/// Only `commit` waits, all else passes at once. Wrap the store of the outbox worker alone, then engines and acts keep theirs.
public struct DelayedOrderStore<Time: Clock<Duration>>: OrderStoreDecorator {
    public let base: any OrderStore
    private let delay: Duration
    private let clock: Time

    /// Delays each commit of `base` by `delay` on `clock`.
    public init(_ base: any OrderStore, delay: Duration, clock: Time) {
        self.base = base
        self.delay = delay
        self.clock = clock
    }

    /// Waits, then commits.
    ///
    /// - Throws: what `base` throws; `.refused` if the task is cancelled while waiting (nothing was sent then).
    public func commit(_ batch: CommitBatch) async throws -> CommitResult {
        do {
            try await clock.sleep(for: delay)
        } catch {
            throw OrderStoreError(.refused, "the delayed commit was cancelled before it began; commit it again")
        }
        return try await base.commit(batch)
    }
}
