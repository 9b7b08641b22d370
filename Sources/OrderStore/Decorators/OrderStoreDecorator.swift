public import Inventory

/// An order store that stands before another and passes on whatever it does not implement itself: how faults and delays reach
/// the port without a hook in production types. A new method of the port gets its line here.
public protocol OrderStoreDecorator: OrderStore {
    var base: any OrderStore { get }
}

extension OrderStoreDecorator {
    public func commit(_ batch: CommitBatch) async throws -> CommitResult { try await base.commit(batch) }
    public func createSale(_ draft: SaleDraft) async throws -> Sale { try await base.createSale(draft) }
    public func sale() async throws -> Sale? { try await base.sale() }
    public func catalogue() async throws -> Catalogue { try await base.catalogue() }
    public func setSaleState(from: Set<SaleState>, to: SaleState) async throws -> Sale {
        try await base.setSaleState(from: from, to: to)
    }
    public func setFrozen(_ sku: SKUNumber, _ frozen: Bool) async throws -> Bool {
        try await base.setFrozen(sku, frozen)
    }
    public func bucketControls() async throws -> [BucketControl] { try await base.bucketControls() }
    public func restock(_ sku: SKUNumber, units: Int64) async throws -> Restock {
        try await base.restock(sku, units: units)
    }
    public func outcome(of restock: Restock) async throws -> RestockOutcome { try await base.outcome(of: restock) }
    public func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch {
        try await base.claimEpoch(bucket: bucket, above: above, by: claimant)
    }
    public func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
        try await base.fold(bucket: bucket, claim: claim)
    }
    public func reopen(
        bucket: BucketNumber, claim: Epoch, at id: OutboxID, holding: [HeldSKU]
    ) async throws -> Bool {
        try await base.reopen(bucket: bucket, claim: claim, at: id, holding: holding)
    }
    public func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState {
        try await base.markOpened(bucket: bucket, claim: claim)
    }
    public func buckets() async throws -> [BucketRecord] { try await base.buckets() }
    public func sellFenced(
        _ orders: [Order], closing: [BucketNumber: Epoch], by claimant: String
    ) async throws -> [FencedSaleResult] {
        try await base.sellFenced(orders, closing: closing, by: claimant)
    }
    public func cancel(_ orders: [Order]) async throws -> [CancelResult] { try await base.cancel(orders) }
    public func pendingGiveBacks(limit: Int) async throws -> [GiveBack] {
        try await base.pendingGiveBacks(limit: limit)
    }
    public func pendingGiveBacks(bucket: BucketNumber, limit: Int) async throws -> [GiveBack] {
        try await base.pendingGiveBacks(bucket: bucket, limit: limit)
    }
    public func endGiveBacks(_ ends: [GiveBackEnd]) async throws -> [GiveBackEnd] {
        try await base.endGiveBacks(ends)
    }
    public func halfDone(limit: Int) async throws -> [HalfDoneOrder] {
        try await base.halfDone(limit: limit)
    }
    public func undo(_ orders: [WideOrder], forbidden: [BucketNumber: Epoch]) async throws -> [UndoResult] {
        try await base.undo(orders, forbidden: forbidden)
    }
    public func pendingRestocks() async throws -> [Restock] { try await base.pendingRestocks() }
    public func absent(_ flows: [FlowID]) async throws -> [FlowID] { try await base.absent(flows) }
    public func foldForCut(bucket: BucketNumber, through id: OutboxID) async throws -> [SKUNumber: CutFold]? {
        try await base.foldForCut(bucket: bucket, through: id)
    }
    public func bucket(_ number: BucketNumber) async throws -> BucketRecord? { try await base.bucket(number) }
    public func books(for cuts: [CutPosition]) async throws -> [CutBooks?] { try await base.books(for: cuts) }
    public func skuCounters(of bucket: BucketNumber) async throws -> [SKUCounters] {
        try await base.skuCounters(of: bucket)
    }
    public func skuCounters() async throws -> [SKUCounters] { try await base.skuCounters() }
    public func orderTotals() async throws -> OrderTotals { try await base.orderTotals() }
    public func glimpses(_ question: OrderQuestion, limit: Int) async throws -> [OrderGlimpse] {
        try await base.glimpses(question, limit: limit)
    }
    public func ledgerPage(sku: SKUNumber, after: FlowID?, limit: Int) async throws -> [LedgerRow] {
        try await base.ledgerPage(sku: sku, after: after, limit: limit)
    }
    public func raiseWatermark(bucket: BucketNumber, horizon: Duration, ordersMax: Int) async throws -> FlowID? {
        try await base.raiseWatermark(bucket: bucket, horizon: horizon, ordersMax: ordersMax)
    }
    public func archivable(bucket: BucketNumber, after: FlowID?, limit: Int) async throws -> [ArchivableOrder] {
        try await base.archivable(bucket: bucket, after: after, limit: limit)
    }
    public func noteArchived(bucket: BucketNumber, _ flows: [FlowID]) async throws {
        try await base.noteArchived(bucket: bucket, flows)
    }
    public func settlements(of orders: [Order]) async throws -> [OrderSettlement?] {
        try await base.settlements(of: orders)
    }
    public func heldUnits(sku: SKUNumber, after: BuyerID?, limit: Int) async throws -> [HeldUnits] {
        try await base.heldUnits(sku: sku, after: after, limit: limit)
    }
    public func balance(bucket: BucketNumber) async throws -> BookBalance? { try await base.balance(bucket: bucket) }
    public func audit(_ entry: AuditEntry) async throws { try await base.audit(entry) }
    public func writer() async -> StoreWriter? { await base.writer() }
    public func auditNews(since mark: AuditMark?, limit: Int) async throws -> AuditNews {
        try await base.auditNews(since: mark, limit: limit)
    }
    public func auditTrail(limit: Int) async throws -> [AuditEntry] { try await base.auditTrail(limit: limit) }
    public func close() async { await base.close() }
}
