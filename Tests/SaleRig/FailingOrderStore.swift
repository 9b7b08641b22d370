import Inventory
public import OrderStore
import Synchronization

/// An order store that can be out: every commit, and every look at its buckets, then fails.
public final class FailingOrderStore: OrderStoreDecorator {
    public let base: any OrderStore
    private let state = Mutex<(failure: String?, attempts: Int, commits: Int)>((nil, 0, 0))

    public init(base: any OrderStore) { self.base = base }

    /// `nil`: it works again.
    public func fail(with failure: String?) { state.withLock { $0.failure = failure } }

    /// Calls that failed so far.
    public var failedCalls: Int { state.withLock { $0.attempts } }
    /// Commits that failed so far.
    public var failedCommits: Int { state.withLock { $0.commits } }

    private func check() throws {
        let failure = state.withLock { state in
            if state.failure != nil { state.attempts += 1 }
            return state.failure
        }
        if let failure { throw OrderStoreError(.refused, failure) }
    }

    public func commit(_ batch: CommitBatch) async throws -> CommitResult {
        do { try check() } catch {
            state.withLock { $0.commits += 1 }
            throw error
        }
        return try await base.commit(batch)
    }

    public func buckets() async throws -> [BucketRecord] {
        try check()
        return try await base.buckets()
    }
}
