import Inventory
import OrderStore

/// The port's rules said a second time, slowly and plainly: rows in dictionaries, every counter a sum over rows.
struct OrderStoreModel {
    enum State { case reserved, sold, cancelled, void, overCapacity, expired }
    struct Row {
        let order: Order
        var state: State
        /// The entry from which it came.
        let id: OutboxID
        var deadline: Int64?
        var n: Int64 { id.n }
    }
    struct PaymentRow {
        let order: Order
        var state: Late
        let epoch: Epoch
        let at: Int64
        var reason: LateReason?
        var again: FlowID?
    }
    enum Late { case waiting, reservingAgain, reservedAgain, refunded }
    struct RefundRow: Hashable {
        let units: Int64
        let reason: LateReason
        var isPaid: Bool
        var isSettled = false
    }
    struct GiveBackKey: Hashable {
        let flow: FlowID
        let digest: OrderDigest
    }
    struct PendingOrDone {
        let order: Order
        var done: OutboxID?
    }
    struct Movement {
        let bucket: BucketNumber
        let id: OutboxID
        let sku: SKUNumber
        let units: Int64
    }
    struct BucketRow {
        var epoch = Epoch.none
        var state = BucketState.new
        var opened = Epoch.none
        var settled: Set<OutboxID> = []
        var folded: Epoch?
        /// taken, allocated and version of each SKU when the present epoch was folded.
        var base: [SKUNumber: (taken: Int64, allocated: Int64, version: Int64)] = [:]

        var drained: OutboxID {
            var n: Int64 = 0
            while settled.contains(OutboxID(epoch: opened, n: n + 1)) { n += 1 }
            return OutboxID(epoch: opened, n: n)
        }
    }
    struct RestockRow {
        let restock: Restock
        var done: OutboxID?
        /// What it moved for good: 0 for a reversal that was refused.
        var units: Int64
        var isRefused: Bool { done != nil && units == 0 }

        init(restock: Restock) {
            self.restock = restock
            units = restock.units
        }
    }

    let durability: Durability
    let timeout: Int64?
    let latePayments: LatePaymentPolicy
    var isClosed = false
    /// Unix milliseconds: the store's clock.
    var now: Int64 = 0
    var payments: [GiveBackKey: PaymentRow] = [:]
    var refunds: [GiveBackKey: RefundRow] = [:]
    let catalogue: Catalogue
    var allocated: [SKUNumber: Int64]
    var versions: [SKUNumber: Int64] = [:]
    var buckets: [BucketNumber: BucketRow] = [:]
    var rows: [FlowID: Row] = [:]
    var giveBacks: [GiveBackKey: PendingOrDone] = [:]
    var movements: [Movement] = []
    var restocks: [RestockRow] = []
    var deadLetters: Int64 = 0
    var lastEpoch: Int64 = 0
    /// reserved + sold, kept beside the rows for speed; `check` sums the rows.
    var taken: [SKUNumber: Int64] = [:]

    init(
        durability: Durability, catalogue: Catalogue, units: Int64, timeout: Int64? = nil,
        latePayments: LatePaymentPolicy = .refund
    ) {
        self.durability = durability
        self.timeout = timeout
        self.latePayments = latePayments
        self.catalogue = catalogue
        allocated = Dictionary(uniqueKeysWithValues: catalogue.entries.map { ($0.number, units) })
        for bucket in catalogue.buckets { buckets[bucket.number] = BucketRow() }
    }

    // MARK: Epochs

    mutating func claim(_ bucket: BucketNumber) -> Epoch {
        lastEpoch += 1
        buckets[bucket]!.epoch = Epoch(rawValue: lastEpoch)
        buckets[bucket]!.state = .recovering
        return Epoch(rawValue: lastEpoch)
    }

    mutating func fold(_ bucket: BucketNumber) {
        let claim = buckets[bucket]!.epoch
        buckets[bucket]!.folded = claim
        for sku in catalogue[bucket]!.skus { takeBack(sku) }
        for sku in catalogue[bucket]!.skus {
            buckets[bucket]!.base[sku] = (taken[sku] ?? 0, allocated[sku]!, versions[sku] ?? 0)
        }
        let id = OutboxID(epoch: claim, n: 0)
        for (key, value) in giveBacks where value.order.bucket == bucket && value.done == nil {
            giveBacks[key]!.done = id
        }
        for position in restocks.indices
        where restocks[position].done == nil && catalogue[restocks[position].restock.sku]!.bucket == bucket {
            restocks[position].done = id
        }
    }

    mutating func open(_ bucket: BucketNumber) {
        buckets[bucket]!.state = .open
        buckets[bucket]!.opened = buckets[bucket]!.epoch
    }

    /// False: SQL itself has fewer units left than are to be taken back.
    mutating func restock(_ sku: SKUNumber, _ units: Int64) -> Bool {
        let leaving = restocks.reduce(0) {
            $1.restock.sku == sku && $1.done == nil ? $0 + min(0, $1.restock.units) : $0
        }
        if units < 0, allocated[sku]! - (taken[sku] ?? 0) + leaving + units < 0 { return false }
        restocks.append(RestockRow(restock: Restock(sku: sku, fromVersion: versions[sku] ?? 0, units: units)))
        versions[sku, default: 0] += 1
        allocated[sku]! += max(0, units)
        return true
    }

    /// Decides what is still to be taken back of a SKU, each movement without what later ones add.
    private mutating func takeBack(_ sku: SKUNumber) {
        let mine = restocks.indices.filter { restocks[$0].restock.sku == sku && restocks[$0].done == nil }
        for position in mine where restocks[position].restock.units < 0 {
            let later = mine.filter { $0 > position }.reduce(0) { $0 + max(0, restocks[$1].restock.units) }
            move(position, left: allocated[sku]! - later - (taken[sku] ?? 0))
        }
    }

    /// Takes a reversal's units out of what is allocated, or refuses it.
    private mutating func move(_ position: Int, left: Int64) {
        if left + restocks[position].units < 0 { restocks[position].units = 0 }
        allocated[restocks[position].restock.sku]! += restocks[position].units
    }

    // MARK: Settlement

    mutating func commit(_ batch: CommitBatch) -> (entries: [String], duplicates: [String], payments: [PaymentResult]) {
        let entries = batch.entries.map { settle($0, claim: batch.claim).words }
        let duplicates = batch.duplicates.map { duplicate in
            guard admits(duplicate.order.bucket, duplicate.id, nil) else { return "stale" }
            return "settled \(settle(duplicate.order, duplicate.id, voids: durability == .durable))"
        }
        return (entries, duplicates, batch.payments.map { pay($0) })
    }

    private func admits(_ number: BucketNumber, _ id: OutboxID, _ claim: Epoch?) -> Bool {
        let bucket = buckets[number]!
        guard let claim else { return bucket.state == .open && id.epoch == bucket.epoch }
        return bucket.state == .recovering && bucket.epoch == claim && id.epoch < claim && bucket.folded != claim
    }

    private mutating func settle(_ entry: EntrySettlement, claim: Epoch?) -> EntryResult {
        guard admits(entry.bucket, entry.id, claim) else { return .stale }
        let bucket = buckets[entry.bucket]!
        if entry.id.epoch < bucket.opened || entry.id.n == 0 || bucket.settled.contains(entry.id) {
            guard case .deduct(let orders) = entry.action else { return .already(exceptions: [:]) }
            return .already(exceptions: exceptions(orders.map { ($0, lookUp($0)) }))
        }
        buckets[entry.bucket]!.settled.insert(entry.id)
        func move(_ sku: SKUNumber, _ units: Int64) -> Movement {
            Movement(bucket: entry.bucket, id: entry.id, sku: sku, units: units)
        }
        switch entry.action {
        case .deduct(let orders):
            let voids = durability == .durable
            // An order that stands from an entry before this one was taken twice: that is told too.
            var told: [FlowID: OrderSettlement] = [:]
            for order in orders {
                let before = rows[order.flow]?.id
                let settlement = settle(order, entry.id, voids: voids)
                let isTakenTwice = before != nil && before != entry.id
                if settlement != .committed || isTakenTwice { told[order.flow] = settlement }
            }
            for order in orders { movements += order.lines.map { move($0.sku, Int64($0.quantity)) } }
            return .settled(exceptions: told)
        case .release(let givenBack, let tombstones):
            for order in givenBack {
                movements += order.lines.map { move($0.sku, -Int64($0.quantity)) }
                giveBacks[GiveBackKey(flow: order.flow, digest: order.digest)] =
                    PendingOrDone(order: order, done: entry.id)
            }
            for order in tombstones {
                let key = GiveBackKey(flow: order.flow, digest: order.digest)
                let done = giveBacks[key]?.done.map { max($0, entry.id) } ?? entry.id
                giveBacks[key] = PendingOrDone(order: order, done: done)
            }
        case .restock(let sku, let version, let units):
            let position = restocks.firstIndex {
                let isRefusal = $0.restock.units < 0 && units == 0
                return $0.restock.sku == sku && $0.restock.fromVersion == version
                    && ($0.restock.units == units || isRefusal)
            }
            if let position, restocks[position].done == nil {
                if units == 0 {
                    restocks[position].units = 0
                } else if units < 0 {
                    self.move(position, left: allocated[sku]! - (taken[sku] ?? 0))
                }
                restocks[position].done = entry.id
            } else if position == nil {
                deadLetters += 1
            }
        case .mark: break
        case .repair(let sku, let delta): movements.append(move(sku, delta))
        case .unreadable: deadLetters += 1
        }
        return .settled(exceptions: [:])
    }

    private func exceptions(_ settled: [(Order, OrderSettlement)]) -> [FlowID: OrderSettlement] {
        Dictionary(
            settled.filter { $0.1 != .committed }.map { ($0.0.flow, $0.1) }, uniquingKeysWith: { _, last in last })
    }

    private mutating func settle(_ order: Order, _ id: OutboxID, voids: Bool) -> OrderSettlement {
        if let row = rows[order.flow] {
            guard row.order == order else {
                want(order, after: id)
                return .conflict
            }
            switch row.state {
            case .reserved, .sold: return .committed
            case .cancelled, .void, .expired: want(order, after: id)
            case .overCapacity: if voids { want(order, after: id) }
            }
            return [.cancelled, .expired].contains(row.state) ? .cancelled : .overCapacity
        }
        if order.lines.allSatisfy({ (taken[$0.sku] ?? 0) + Int64($0.quantity) <= allocated[$0.sku]! }) {
            rows[order.flow] = Row(order: order, state: .reserved, id: id, deadline: timeout.map { now + $0 })
            for line in order.lines { taken[line.sku, default: 0] += Int64(line.quantity) }
            if payments[key(order)]?.state == .waiting {
                payments[key(order)] = nil
                rows[order.flow]!.state = .sold
            }
            return .committed
        }
        rows[order.flow] = Row(order: order, state: voids ? .void : .overCapacity, id: id)
        if voids { want(order, after: id) }
        return .overCapacity
    }

    private func lookUp(_ order: Order) -> OrderSettlement {
        guard let row = rows[order.flow], row.order == order else { return .conflict }
        return switch row.state {
        case .reserved, .sold: .committed
        case .cancelled, .expired: .cancelled
        case .void, .overCapacity: .overCapacity
        }
    }

    private mutating func want(_ order: Order, after id: OutboxID?) {
        let key = GiveBackKey(flow: order.flow, digest: order.digest)
        if let id, let done = giveBacks[key]?.done, done >= id { return }
        giveBacks[key] = PendingOrDone(order: order, done: nil)
    }

    private mutating func pay(_ payment: Payment) -> PaymentResult {
        let order = payment.order
        guard let row = rows[order.flow] else {
            if payment.succeeded { return wait(order) }
            if payments[key(order)]?.state == .waiting { return .waiting }
            _ = cancel(order)
            return .cancelled
        }
        guard row.order == order else {
            return payment.succeeded ? goLate(order, .conflict) : .already(sold: false)
        }
        switch (row.state, payment.succeeded) {
        case (.reserved, true):
            rows[order.flow]!.state = .sold
            return .confirmed
        case (.reserved, false), (.overCapacity, false):
            end(order)
            return .cancelled
        case (.overCapacity, true): return wait(order)
        case (.sold, _): return .already(sold: true)
        case (_, false): return .already(sold: false)
        default: return goLate(order, lateReason(row.state))
        }
    }

    mutating func cancel(_ order: Order) -> CancelResult {
        guard let row = rows[order.flow] else {
            rows[order.flow] = Row(order: order, state: .cancelled, id: OutboxID(epoch: .none, n: 0))
            want(order, after: nil)
            return .cancelled
        }
        guard row.order == order else { return .conflict }
        switch row.state {
        case .reserved, .overCapacity:
            end(order)
            return .cancelled
        case .sold: return .sold
        case .cancelled, .void, .expired: return .alreadyCancelled
        }
    }

    mutating func end(_ order: Order) {
        if rows[order.flow]!.state == .reserved {
            for line in order.lines { taken[line.sku]! -= Int64(line.quantity) }
        }
        rows[order.flow]!.state = .cancelled
        want(order, after: nil)
    }

    // MARK: What the store must show

    var counters: [SKUCounters] {
        var units: [SKUNumber: [State: Int64]] = [:]
        for row in rows.values {
            for line in row.order.lines { units[line.sku, default: [:]][row.state, default: 0] += Int64(line.quantity) }
        }
        return catalogue.entries.map { entry in
            let mine = units[entry.number] ?? [:]
            return SKUCounters(
                sku: entry.number, allocated: allocated[entry.number]!, sold: mine[.sold] ?? 0,
                reserved: mine[.reserved] ?? 0, overCapacity: mine[.overCapacity] ?? 0, frozen: false)
        }
    }

    var totals: OrderTotals {
        func count(_ state: State) -> Int64 { Int64(rows.values.count { $0.state == state }) }
        return OrderTotals(
            reserved: count(.reserved), sold: count(.sold), cancelled: count(.cancelled), void: count(.void),
            overCapacity: count(.overCapacity), expired: count(.expired), deadLetters: deadLetters,
            pendingGiveBacks: Int64(pending.count))
    }

    var pending: [GiveBack] {
        giveBacks.values.filter { $0.done == nil }.map { GiveBack(order: $0.order) }.sorted {
            ($0.order.flow, $0.order.digest.rawValue) < ($1.order.flow, $1.order.digest.rawValue)
        }
    }

    var records: [BucketRecord] {
        catalogue.buckets.map {
            let bucket = buckets[$0.number]!
            return BucketRecord(
                bucket: $0.number, epoch: bucket.epoch, state: bucket.state, drainedThrough: bucket.drained)
        }
    }

    func cut(_ bucket: BucketNumber, through id: OutboxID) -> [SKUNumber: CutFold] {
        var result: [SKUNumber: CutFold] = [:]
        for (sku, base) in buckets[bucket]!.base {
            func isWithin(_ other: OutboxID?) -> Bool {
                other.map { $0.epoch == id.epoch && $0.n > 0 && $0 <= id } ?? false
            }
            let applied = restocks.filter { $0.restock.sku == sku && isWithin($0.done) }
            result[sku] = CutFold(
                allocated: base.allocated + applied.reduce(0) { $0 + $1.units },
                version: base.version + Int64(applied.count),
                taken: movements.reduce(base.taken) {
                    $1.sku == sku && $1.bucket == bucket && isWithin($1.id) ? $0 + $1.units : $0
                }, frozen: false)
        }
        return result
    }

    func ledger(_ sku: SKUNumber) -> [LedgerRow] {
        rows.values.flatMap { row in
            row.order.lines.filter { $0.sku == sku }.map { line in
                LedgerRow(
                    sku: sku, flow: row.order.flow, digest: row.order.digest,
                    quantity: row.state == .overCapacity ? 0 : Int64(line.quantity),
                    cancelled: [.cancelled, .void, .expired].contains(row.state), n: row.n)
            }
        }.sorted { $0.flow < $1.flow }
    }
}
