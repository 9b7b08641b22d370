public import Inventory

/// What SQL remembers of a sale: one port, several databases behind it.
///
/// Every method is one transaction (`BEGIN IMMEDIATE` where it writes). A method that throws `OrderStoreError` with outcome
/// `.refused` surely changed nothing; with `.unknown` it may have committed.
///
/// Two rules carry everything else:
/// - **movements = f(entry)**: an outbox entry is settled whole and once; its movements per SKU are what Redis really did.
/// - **counters = f(rows)**: `sold` and `reserved` move only by order rows that were inserted or changed state.
public protocol OrderStore: OrderLifeStore {
    // MARK: The sale

    /// Creates a sale with its SKUs and buckets, warmed. One sale a database for now.
    func createSale(_ draft: SaleDraft) async throws -> Sale
    /// The database's sale; `nil` for an empty database.
    func sale() async throws -> Sale?
    /// SKUs and buckets of the sale.
    func catalogue() async throws -> Catalogue
    /// Compare and set of the sale's state; a change is an act on every bucket. Returns the sale as it is now; unchanged if its
    /// state was not in `from`.
    func setSaleState(from: Set<SaleState>, to: SaleState) async throws -> Sale
    /// Sets a SKU's frozen flag; a change is an act on its bucket. Returns the flag before.
    func setFrozen(_ sku: SKUNumber, _ frozen: Bool) async throws -> Bool
    /// What the acts so far make of every bucket, all of it read at one moment: what Redis must say.
    func bucketControls() async throws -> [BucketControl]
    /// Adds `units` to a SKU's allocation as movement `version → version + 1`, pending until Redis applied it.
    ///
    /// With `units` below 0 they are to be taken back: the allocation stays until Redis took them from its stock, or a fold found that
    /// many left; where fewer are, the movement moves nothing. Refused at once where SQL's own books have fewer.
    func restock(_ sku: SKUNumber, units: Int64) async throws -> Restock
    /// What became of a restock; refused for one that was never numbered.
    func outcome(of restock: Restock) async throws -> RestockOutcome

    // MARK: Epochs

    /// Takes a new epoch for a bucket (larger than every epoch in SQL and than `above`) and marks the bucket recovering:
    /// from this commit on nobody else's settlement for the bucket passes.
    func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch
    /// Folds the books of a recovering bucket under its claim, in one write transaction: what Redis must hold.
    ///
    /// The same transaction notes the folded `taken`, allocation and version as the base of later cuts at `<claim>-0`, and
    /// ends every pending give-back and restock of the bucket, because the fold contains them (one that takes back more than is
    /// left, then, is refused). What SQL decides after the
    /// fold is pending again and reaches Redis after the opening.
    ///
    /// - Throws: `.refused` if the claim is no longer the bucket's epoch, or the bucket is open already.
    func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold
    /// The short way of a recovery: nothing was lost, so nothing need be rebuilt.
    ///
    /// True if every entry of the epoch up to `id` is settled and none beyond it, and if for every SKU Redis holds exactly
    /// what the movements up to `id` and the flows in SQL say. What Redis holds is then noted as the base of later cuts at
    /// `<claim>-0`, give-backs and restocks that are pending stay pending, and the bucket can be opened. False changes
    /// nothing: `fold` then.
    ///
    /// - Throws: `.refused` if the claim is no longer the bucket's epoch, or the bucket is open already.
    func reopen(bucket: BucketNumber, claim: Epoch, at id: OutboxID, holding: [HeldSKU]) async throws -> Bool
    /// Ends a recovery: the bucket is open for settlements under `claim`, drained through `<claim>-0`. Called *before* the last
    /// write in Redis, which takes sale state and freezes from the answer. Refused if the claim is stale or was never folded.
    /// A second call under the same claim changes nothing and answers the same way.
    func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState
    /// Every bucket's epoch, state and drain position.
    func buckets() async throws -> [BucketRecord]
    /// One bucket's; `nil`: the sale has no such bucket.
    func bucket(_ number: BucketNumber) async throws -> BucketRecord?

    // MARK: While a bucket is fenced

    /// Takes orders in SQL alone, in one transaction, for buckets that nobody can sell from in Redis.
    ///
    /// It sells between the claim of a recovery and its fold, which then contains what was sold: so Redis is rebuilt with it.
    /// A bucket that SQL still calls open is closed first, by a new epoch, if its epoch is the one in `closing`: from then on
    /// no entry of the old epoch is settled outside a recovery. Only for a sale at `durable` that chose it and is open.
    ///
    /// - Parameters:
    ///   - closing: the epochs under which the caller found buckets unfit.
    ///   - claimant: who closes, for the record.
    /// - Returns: what became of each order, in their order.
    func sellFenced(
        _ orders: [Order], closing: [BucketNumber: Epoch], by claimant: String
    ) async throws -> [FencedSaleResult]

    // MARK: Orders
    //
    // An order over several buckets is taken group by group, each by the entry of its own bucket; until the last group has come it
    // is `partial`, and its groups' units count as reserved. Paid and cancelled it is whole, whichever group is named.

    /// Settles outbox entries, duplicates and payments in one transaction: entries, then duplicates, then payments, each in
    /// the order given.
    ///
    /// Under a claim it works only until the claim's fold: what is drained afterwards would not be in what Redis was rebuilt
    /// from, so it is stale.
    func commit(_ batch: CommitBatch) async throws -> CommitResult
    /// Cancels flows: reserved → cancelled with a pending give-back; an absent flow becomes a cancelled row (a tombstone)
    /// with a pending give-back. Result in the order of `orders`.
    ///
    /// An over-capacity row becomes cancelled too; its pending give-back asks Redis for whatever its ledger holds (nothing,
    /// once the bucket was rebuilt). A give-back that Redis has done is remembered with its id: an entry below that id which
    /// is settled later does not ask for it again.
    func cancel(_ orders: [Order]) async throws -> [CancelResult]
    /// Give-backs that SQL decided and Redis has not confirmed, in flow order (oldest flow first), at most `limit`.
    func pendingGiveBacks(limit: Int) async throws -> [GiveBack]
    /// The same for one bucket: what waits for a fenced bucket then keeps no other bucket's from being sent.
    func pendingGiveBacks(bucket: BucketNumber, limit: Int) async throws -> [GiveBack]
    /// Notes give-backs that Redis answered without an entry, because there was nothing to give: they are done.
    ///
    /// - Returns: those that come too early, to be told again: SQL does not have everything yet that the bucket had written by
    ///   then, and somebody else's release may be among it. Ended before that, the order's units would be nobody's; and with the
    ///   outbox lost, for good. One of an epoch that ended is forgotten: Redis has to be asked again.
    func endGiveBacks(_ ends: [GiveBackEnd]) async throws -> [GiveBackEnd]
    /// Orders over several buckets of which some group has not come, those first whose beginning was noted first, at most `limit`.
    /// How old each is, who asks must judge: what was noted is the wall clock of whoever wrote it.
    func halfDone(limit: Int) async throws -> [HalfDoneOrder]
    /// Undoes orders over several buckets that are not whole, by compare and set: partial, or absent, → cancelled in every bucket,
    /// as `cancel` does; one that is whole stays as it is. Result in the order of `orders`.
    ///
    /// - Parameter forbidden: the epochs under which buckets said that they keep the flow out, where the undoing rests on that.
    func undo(_ orders: [WideOrder], forbidden: [BucketNumber: Epoch]) async throws -> [UndoResult]
    /// Restocks that Redis has not confirmed.
    func pendingRestocks() async throws -> [Restock]
    /// Those of `flows` that SQL does not hold as reserved, sold, cancelled or expired rows (over-capacity, void and partial
    /// rows count as absent).
    func absent(_ flows: [FlowID]) async throws -> [FlowID]

    // MARK: Reading

    /// Movements folded up to `id` for one bucket: what Redis should show in a cut at that id.
    /// `nil` if `drainedThrough` has not reached `id` or the epoch is not the bucket's.
    func foldForCut(bucket: BucketNumber, through id: OutboxID) async throws -> [SKUNumber: CutFold]?
    /// What `foldForCut` and `balance` say of many buckets, all of it read at one moment: the books beside their cuts, in the
    /// order of `cuts`. `nil` where `foldForCut` is.
    func books(for cuts: [CutPosition]) async throws -> [CutBooks?]
    /// Counters of every SKU of the sale.
    func skuCounters() async throws -> [SKUCounters]
    /// Counters of a bucket's SKUs.
    func skuCounters(of bucket: BucketNumber) async throws -> [SKUCounters]
    /// Totals over orders by state.
    func orderTotals() async throws -> OrderTotals
    /// Orders for a person to look at, newest flow first, at most `limit` and at most 1,000. The look is bounded: of a SKU or a
    /// standing that is rare, only those among the newest of its bucket, or of all orders, are found.
    func glimpses(_ question: OrderQuestion, limit: Int) async throws -> [OrderGlimpse]
    /// Flows of one SKU's ledger in flow order, after `after`, at most `limit`: what the Redis ledger must contain. What was
    /// archived is not among them.
    func ledgerPage(sku: SKUNumber, after: FlowID?, limit: Int) async throws -> [LedgerRow]

    // MARK: Ledger growth

    /// Raises a bucket's watermark to `horizon` before now, at most over `ordersMax` lines of orders: flows below it will never
    /// be taken again, and their true answer is this store's (`settlements(of:)`). A watermark never falls.
    ///
    /// Now is the store's clock or the bucket's newest flow, whichever is earlier: a clock that jumps forward must not
    /// declare present orders old. Returns the watermark as it is then, of whole milliseconds; `nil`: none yet.
    func raiseWatermark(bucket: BucketNumber, horizon: Duration, ordersMax: Int) async throws -> FlowID?
    /// Orders below the watermark that Redis's ledgers may still hold and no longer need: sold, or given back there. In flow
    /// order after `after`, at most `limit`. An open reservation is none of them, however old.
    func archivable(bucket: BucketNumber, after: FlowID?, limit: Int) async throws -> [ArchivableOrder]
    /// Notes that Redis's ledgers hold these no longer.
    func noteArchived(bucket: BucketNumber, _ flows: [FlowID]) async throws
    /// What became of each order; `nil`: this store has no order under its flow.
    func settlements(of orders: [Order]) async throws -> [OrderSettlement?]

    // MARK: Cross-checks

    /// What buyers hold (reserved + sold) of a SKU that is limited per buyer, in buyers' order after `after`, at most `limit`.
    func heldUnits(sku: SKUNumber, after: BuyerID?, limit: Int) async throws -> [HeldUnits]
    /// Whether an open bucket's movements are what its orders say; `nil` while it is not open.
    func balance(bucket: BucketNumber) async throws -> BookBalance?

    /// Whoever is writing at this moment, and lets nobody else; `nil`: nobody, or nobody can tell.
    func writer() async -> StoreWriter?

    // MARK: Audit

    func audit(_ entry: AuditEntry) async throws
    /// Newest first.
    func auditTrail(limit: Int) async throws -> [AuditEntry]
    /// What was written since an earlier look, oldest first, the newest `limit` of it; `nil`: since now.
    func auditNews(since mark: AuditMark?, limit: Int) async throws -> AuditNews

    /// Finishes what is under way and closes.
    func close() async
}

/// What went wrong at the store boundary.
public struct OrderStoreError: Error, Sendable, CustomStringConvertible {
    public enum Outcome: Sendable { case refused, unknown }
    public let outcome: Outcome
    /// What happened, to what, and what to do, in one line.
    public let message: String
    public init(_ outcome: Outcome, _ message: String) {
        self.outcome = outcome
        self.message = message
    }
    public var description: String { message }
}
