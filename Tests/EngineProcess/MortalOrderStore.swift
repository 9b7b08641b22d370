import Inventory
import OrderStore

/// An order store around whose writes the process may die: before one begins, or after it committed and before anybody knows.
struct MortalOrderStore: OrderStoreDecorator {
    let base: any OrderStore
    let death: DeathStep

    private func step<Value>(_ name: String, _ body: () async throws -> Value) async throws -> Value {
        death.reached("before \(name)")
        let value = try await body()
        death.reached("after \(name)")
        return value
    }

    func commit(_ batch: CommitBatch) async throws -> CommitResult {
        try await step(Self.name(of: batch)) { try await base.commit(batch) }
    }

    /// What a commit is about, by the first thing in it.
    private static func name(of batch: CommitBatch) -> String {
        if batch.claim != nil { return "drain" }
        switch batch.entries.first?.action {
        case .deduct: return "deduct commit"
        case .release: return "release commit"
        case nil where !batch.duplicates.isEmpty: return "duplicate commit"
        case nil where !batch.payments.isEmpty: return "payment commit"
        default: return "other commit"
        }
    }

    func cancel(_ orders: [Order]) async throws -> [CancelResult] {
        try await step("cancel") { try await base.cancel(orders) }
    }
    func undo(_ orders: [WideOrder], forbidden: [BucketNumber: Epoch]) async throws -> [UndoResult] {
        try await step("undo") { try await base.undo(orders, forbidden: forbidden) }
    }
    func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch {
        try await step("claim") { try await base.claimEpoch(bucket: bucket, above: above, by: claimant) }
    }
    func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
        try await step("fold") { try await base.fold(bucket: bucket, claim: claim) }
    }
    func reopen(
        bucket: BucketNumber, claim: Epoch, at id: OutboxID, holding: [HeldSKU]
    ) async throws -> Bool {
        try await step("reopen") { try await base.reopen(bucket: bucket, claim: claim, at: id, holding: holding) }
    }
    func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState {
        try await step("mark opened") { try await base.markOpened(bucket: bucket, claim: claim) }
    }
}
