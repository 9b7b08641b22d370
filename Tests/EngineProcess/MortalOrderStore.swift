import Inventory
import OrderStore

/// An order store around whose writes the process may die: before one begins, or after it committed and before anybody knows.
struct MortalOrderStore: OrderStore {
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
    func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch {
        try await step("claim") { try await base.claimEpoch(bucket: bucket, above: above, by: claimant) }
    }
    func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
        try await step("fold") { try await base.fold(bucket: bucket, claim: claim) }
    }
    func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState {
        try await step("mark opened") { try await base.markOpened(bucket: bucket, claim: claim) }
    }

    func createSale(_ draft: SaleDraft) async throws -> Sale { try await base.createSale(draft) }
    func sale() async throws -> Sale? { try await base.sale() }
    func catalogue() async throws -> Catalogue { try await base.catalogue() }
    func setSaleState(from: Set<SaleState>, to: SaleState) async throws -> Sale {
        try await base.setSaleState(from: from, to: to)
    }
    func setFrozen(_ sku: SKUNumber, _ frozen: Bool) async throws -> Bool { try await base.setFrozen(sku, frozen) }
    func restock(_ sku: SKUNumber, units: Int64) async throws -> Restock { try await base.restock(sku, units: units) }
    func buckets() async throws -> [BucketRecord] { try await base.buckets() }
    func pendingGiveBacks(limit: Int) async throws -> [GiveBack] { try await base.pendingGiveBacks(limit: limit) }
    func pendingGiveBacks(bucket: BucketNumber, limit: Int) async throws -> [GiveBack] {
        try await base.pendingGiveBacks(bucket: bucket, limit: limit)
    }
    func pendingRestocks() async throws -> [Restock] { try await base.pendingRestocks() }
    func absent(_ flows: [FlowID]) async throws -> [FlowID] { try await base.absent(flows) }
    func foldForCut(bucket: BucketNumber, through id: OutboxID) async throws -> [SKUNumber: CutFold]? {
        try await base.foldForCut(bucket: bucket, through: id)
    }
    func skuCounters() async throws -> [SKUCounters] { try await base.skuCounters() }
    func orderTotals() async throws -> OrderTotals { try await base.orderTotals() }
    func ledgerPage(sku: SKUNumber, after: FlowID?, limit: Int) async throws -> [LedgerRow] {
        try await base.ledgerPage(sku: sku, after: after, limit: limit)
    }
    func audit(_ entry: AuditEntry) async throws { try await base.audit(entry) }
    func auditTrail(limit: Int) async throws -> [AuditEntry] { try await base.auditTrail(limit: limit) }
    func close() async { await base.close() }
}
