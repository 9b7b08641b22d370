import Inventory
import OrderStore
import Synchronization

/// SQL as one simulated process reaches it: late, refusing, silent after a COMMIT, or not there; and the steps at which the
/// process may die.
///
/// Behind it works the real SQLite store on the world's own thread: a call happens at one instant, somewhere between asking and
/// hearing.
struct SimulatedStore: OrderStoreDecorator {
    let base: any OrderStore
    /// What the books take for the time.
    let time: BooksTime
    let life: ProcessLife
    let sky: Sky

    private enum Access { case reads, writes }

    private func call<Value>(_ access: Access, _ body: () async throws -> Value) async throws -> Value {
        guard life.step() else { throw Self.dead(.refused) }
        await life.wait(until: life.now + sky.storeDelay())
        guard life.step() else { throw Self.dead(.refused) }
        let weather = sky.weather
        if weather.storeIsDown {
            await life.wait(until: life.now + sky.duration(.milliseconds(1), .milliseconds(300)))
            throw OrderStoreError(.refused, "the order store is down; try again")
        }
        if sky.strikes(weather.storeRefuses) {
            throw OrderStoreError(.refused, "the order store is locked; try again")
        }
        // What it writes, it dates by its own wall clock.
        time.turn(toOffsetMilliseconds: life.wallOffsetMilliseconds)
        defer { time.turn(toOffsetMilliseconds: 0) }
        let value = try await body()
        time.turn(toOffsetMilliseconds: 0)
        let isLost = access == .writes && sky.strikes(weather.storeLosesAnswer)
        guard life.step() else { throw Self.dead(.unknown) }
        await life.wait(until: life.now + sky.storeDelay())
        guard life.isAlive else { throw Self.dead(.unknown) }
        if isLost { throw OrderStoreError(.unknown, "the answer to a COMMIT was lost; nobody knows whether it holds") }
        return value
    }

    private static func dead(_ outcome: OrderStoreError.Outcome) -> OrderStoreError {
        OrderStoreError(outcome, "the process is dead")
    }

    func sale() async throws -> Sale? { try await call(.reads) { try await base.sale() } }
    func catalogue() async throws -> Catalogue { try await call(.reads) { try await base.catalogue() } }
    func setSaleState(from: Set<SaleState>, to: SaleState) async throws -> Sale {
        try await call(.writes) { try await base.setSaleState(from: from, to: to) }
    }
    func setFrozen(_ sku: SKUNumber, _ frozen: Bool) async throws -> Bool {
        try await call(.writes) { try await base.setFrozen(sku, frozen) }
    }
    func bucketControls() async throws -> [BucketControl] { try await call(.reads) { try await base.bucketControls() } }
    func restock(_ sku: SKUNumber, units: Int64) async throws -> Restock {
        try await call(.writes) { try await base.restock(sku, units: units) }
    }
    func outcome(of restock: Restock) async throws -> RestockOutcome {
        try await call(.reads) { try await base.outcome(of: restock) }
    }
    func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch {
        try await call(.writes) { try await base.claimEpoch(bucket: bucket, above: above, by: claimant) }
    }
    func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
        try await call(.writes) { try await base.fold(bucket: bucket, claim: claim) }
    }
    func reopen(
        bucket: BucketNumber, claim: Epoch, at id: OutboxID, holding: [HeldSKU]
    ) async throws -> Bool {
        try await call(.writes) { try await base.reopen(bucket: bucket, claim: claim, at: id, holding: holding) }
    }
    func sellFenced(
        _ orders: [Order], closing: [BucketNumber: Epoch], by claimant: String
    ) async throws -> [FencedSaleResult] {
        try await call(.writes) { try await base.sellFenced(orders, closing: closing, by: claimant) }
    }
    func endGiveBacks(_ ends: [GiveBackEnd]) async throws -> [GiveBackEnd] {
        try await call(.writes) { try await base.endGiveBacks(ends) }
    }
    func halfDone(limit: Int) async throws -> [HalfDoneOrder] {
        try await call(.reads) { try await base.halfDone(limit: limit) }
    }
    func undo(_ orders: [WideOrder], forbidden: [BucketNumber: Epoch]) async throws -> [UndoResult] {
        try await call(.writes) { try await base.undo(orders, forbidden: forbidden) }
    }
    func raiseWatermark(bucket: BucketNumber, horizon: Duration, ordersMax: Int) async throws -> FlowID? {
        try await call(.writes) {
            try await base.raiseWatermark(bucket: bucket, horizon: horizon, ordersMax: ordersMax)
        }
    }
    func archivable(bucket: BucketNumber, after: FlowID?, limit: Int) async throws -> [ArchivableOrder] {
        try await call(.reads) { try await base.archivable(bucket: bucket, after: after, limit: limit) }
    }
    func noteArchived(bucket: BucketNumber, _ flows: [FlowID]) async throws {
        try await call(.writes) { try await base.noteArchived(bucket: bucket, flows) }
    }
    func settlements(of orders: [Order]) async throws -> [OrderSettlement?] {
        try await call(.reads) { try await base.settlements(of: orders) }
    }
    func heldUnits(sku: SKUNumber, after: BuyerID?, limit: Int) async throws -> [HeldUnits] {
        try await call(.reads) { try await base.heldUnits(sku: sku, after: after, limit: limit) }
    }
    func balance(bucket: BucketNumber) async throws -> BookBalance? {
        try await call(.reads) { try await base.balance(bucket: bucket) }
    }
    func endReservations(after position: FlowID?, limit: Int) async throws -> EndedReservations {
        try await call(.writes) { try await base.endReservations(after: position, limit: limit) }
    }
    func lastDeadline() async throws -> Int64? { try await call(.reads) { try await base.lastDeadline() } }
    func expire(now: Int64, limit: Int) async throws -> ExpirySweep {
        try await call(.writes) { try await base.expire(now: now, limit: limit) }
    }
    func lastReservationOrSweep() async throws -> Int64? {
        try await call(.reads) { try await base.lastReservationOrSweep() }
    }
    func settleWaitingPayments(
        overdue: Set<PaymentPosition>, after position: PaymentPosition?, limit: Int
    ) async throws -> WaitingPaymentSweep {
        try await call(.writes) {
            try await base.settleWaitingPayments(overdue: overdue, after: position, limit: limit)
        }
    }
    func paymentsToReserveAgain(limit: Int) async throws -> [LatePayment] {
        try await call(.reads) { try await base.paymentsToReserveAgain(limit: limit) }
    }
    func linkReservation(of order: Order, again flow: FlowID) async throws -> FlowID? {
        try await call(.writes) { try await base.linkReservation(of: order, again: flow) }
    }
    func endReservingAgain(_ order: Order, reserved: Bool) async throws {
        try await call(.writes) { try await base.endReservingAgain(order, reserved: reserved) }
    }
    func oversold(policy: OversoldPolicy) async throws -> OversoldBooks {
        try await call(.reads) { try await base.oversold(policy: policy) }
    }
    func settleOversold(_ choice: OversoldChoice, claim: Epoch?) async throws {
        try await call(.writes) { try await base.settleOversold(choice, claim: claim) }
    }
    func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState {
        try await call(.writes) { try await base.markOpened(bucket: bucket, claim: claim) }
    }
    func buckets() async throws -> [BucketRecord] { try await call(.reads) { try await base.buckets() } }
    func commit(_ batch: CommitBatch) async throws -> CommitResult {
        try await call(.writes) { try await base.commit(batch) }
    }
    func cancel(_ orders: [Order]) async throws -> [CancelResult] {
        try await call(.writes) { try await base.cancel(orders) }
    }
    func pendingGiveBacks(limit: Int) async throws -> [GiveBack] {
        try await call(.reads) { try await base.pendingGiveBacks(limit: limit) }
    }
    func pendingGiveBacks(bucket: BucketNumber, limit: Int) async throws -> [GiveBack] {
        try await call(.reads) { try await base.pendingGiveBacks(bucket: bucket, limit: limit) }
    }
    func pendingRestocks() async throws -> [Restock] { try await call(.reads) { try await base.pendingRestocks() } }
    func absent(_ flows: [FlowID]) async throws -> [FlowID] { try await call(.reads) { try await base.absent(flows) } }
    func foldForCut(bucket: BucketNumber, through id: OutboxID) async throws -> [SKUNumber: CutFold]? {
        try await call(.reads) { try await base.foldForCut(bucket: bucket, through: id) }
    }
    func bucket(_ number: BucketNumber) async throws -> BucketRecord? {
        try await call(.reads) { try await base.bucket(number) }
    }
    func books(for cuts: [CutPosition]) async throws -> [CutBooks?] {
        try await call(.reads) { try await base.books(for: cuts) }
    }
    func skuCounters(of bucket: BucketNumber) async throws -> [SKUCounters] {
        try await call(.reads) { try await base.skuCounters(of: bucket) }
    }
    func skuCounters() async throws -> [SKUCounters] { try await call(.reads) { try await base.skuCounters() } }
    func orderTotals() async throws -> OrderTotals { try await call(.reads) { try await base.orderTotals() } }
    func glimpses(_ question: OrderQuestion, limit: Int) async throws -> [OrderGlimpse] {
        try await call(.reads) { try await base.glimpses(question, limit: limit) }
    }
    func ledgerPage(sku: SKUNumber, after: FlowID?, limit: Int) async throws -> [LedgerRow] {
        try await call(.reads) { try await base.ledgerPage(sku: sku, after: after, limit: limit) }
    }
    func auditNews(since mark: AuditMark?, limit: Int) async throws -> AuditNews {
        try await call(.reads) { try await base.auditNews(since: mark, limit: limit) }
    }
    func audit(_ entry: AuditEntry) async throws { try await call(.writes) { try await base.audit(entry) } }
    /// The books outlive the process.
    func close() async {}
}

/// The clock of the books, which every process that writes in them brings along: the world's, or off by what somebody turned it.
final class BooksTime: SaleClock.Source {
    private let executor: SimulationExecutor
    private let offset = Mutex<Int64>(0)

    init(executor: SimulationExecutor) { self.executor = executor }

    func turn(toOffsetMilliseconds milliseconds: Int64) { offset.withLock { $0 = milliseconds } }

    var now: ContinuousClock.Instant { executor.now }
    var unixMilliseconds: UInt64 { UInt64(Int64(executor.unixMilliseconds) + offset.withLock { $0 }) }
    func sleep(until deadline: ContinuousClock.Instant) async throws { try await executor.sleep(until: deadline) }
}
