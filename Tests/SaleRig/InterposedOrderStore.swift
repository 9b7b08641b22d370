public import OrderStore

/// An order store whose `commit` a test carries out itself: loses it, holds it back, refuses it. All else passes.
public struct InterposedOrderStore: OrderStoreDecorator {
    public typealias Commit = @Sendable (CommitBatch, any OrderStore) async throws -> CommitResult
    public let base: any OrderStore
    private let onCommit: Commit

    public init(_ base: any OrderStore, onCommit: @escaping Commit) {
        self.base = base
        self.onCommit = onCommit
    }

    public func commit(_ batch: CommitBatch) async throws -> CommitResult { try await onCommit(batch, base) }
}
