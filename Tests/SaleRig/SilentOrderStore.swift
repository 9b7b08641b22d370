import Inventory
public import OrderStore
import Synchronization

/// An order store that can be made to answer nothing, as a database that is out of reach: every method then fails as refused.
public final class SilentOrderStore: OrderStoreDecorator {
    private let real: any OrderStore
    private let isSilent = Mutex(false)
    public var base: any OrderStore { isSilent.withLock { $0 } ? NoOrderStore.none : real }

    public init(_ base: any OrderStore) { real = base }

    public func setSilent(_ silent: Bool) { isSilent.withLock { $0 = silent } }
}

/// A store that refuses everything that a running sale asks of it.
private struct NoOrderStore: OrderStoreDecorator {
    static let none = NoOrderStore()
    var base: any OrderStore { preconditionFailure("a sale asked a store that is out of reach for something new") }
    private var refusal: OrderStoreError { OrderStoreError(.refused, "the order store does not answer") }

    func commit(_ batch: CommitBatch) async throws -> CommitResult { throw refusal }
    func sale() async throws -> Sale? { throw refusal }
    func setSaleState(from: Set<SaleState>, to: SaleState) async throws -> Sale { throw refusal }
    func setFrozen(_ sku: SKUNumber, _ frozen: Bool) async throws -> Bool { throw refusal }
    func restock(_ sku: SKUNumber, units: Int64) async throws -> Restock { throw refusal }
    func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch { throw refusal }
    func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold { throw refusal }
    func reopen(bucket: BucketNumber, claim: Epoch, at id: OutboxID, holding: [HeldSKU]) async throws -> Bool {
        throw refusal
    }
    func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState { throw refusal }
    func buckets() async throws -> [BucketRecord] { throw refusal }
    func cancel(_ orders: [Order]) async throws -> [CancelResult] { throw refusal }
    func pendingGiveBacks(limit: Int) async throws -> [GiveBack] { throw refusal }
    func pendingGiveBacks(bucket: BucketNumber, limit: Int) async throws -> [GiveBack] { throw refusal }
    func pendingRestocks() async throws -> [Restock] { throw refusal }
    func absent(_ flows: [FlowID]) async throws -> [FlowID] { throw refusal }
    func foldForCut(bucket: BucketNumber, through id: OutboxID) async throws -> [SKUNumber: CutFold]? { throw refusal }
    func skuCounters() async throws -> [SKUCounters] { throw refusal }
    func orderTotals() async throws -> OrderTotals { throw refusal }
    func ledgerPage(sku: SKUNumber, after: FlowID?, limit: Int) async throws -> [LedgerRow] { throw refusal }
    func sellFenced(
        _ orders: [Order], closing: [BucketNumber: Epoch], by claimant: String
    ) async throws -> [FencedSaleResult] { throw refusal }
    func audit(_ entry: AuditEntry) async throws { throw refusal }
    func auditTrail(limit: Int) async throws -> [AuditEntry] { throw refusal }
}
