import GRDB
import Inventory

/// Outbox entries: each settled whole and once, or not at all.
extension SQLiteWriter {
    /// A repair of more units than a SKU can have is no repair.
    static let repairUnitsMax: Int64 = 1_000_000_000_000

    /// Settles a batch. Runs within `transaction`.
    func commit(_ batch: CommitBatch) throws -> CommitResult {
        try openBooks()
        let result: CommitResult
        do {
            result = try settleAll(batch)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            // Something that no rule foresees and the tables refuse: find it, so that it does not block the others.
            try startAgain()
            try openBooks()
            books.isCareful = true
            result = try settleAll(batch)
        }
        try closeBooks()
        return result
    }

    private func settleAll(_ batch: CommitBatch) throws -> CommitResult {
        var entries: [EntryResult] = []
        entries.reserveCapacity(batch.entries.count)
        for entry in batch.entries { entries.append(try settle(entry, claim: batch.claim)) }
        var duplicates: [DuplicateResult] = []
        duplicates.reserveCapacity(batch.duplicates.count)
        for duplicate in batch.duplicates { duplicates.append(try settle(duplicate)) }
        var payments: [PaymentResult] = []
        payments.reserveCapacity(batch.payments.count)
        for payment in batch.payments { payments.append(try pay(payment)) }
        return CommitResult(entries: entries, duplicates: duplicates, payments: payments)
    }

    private func settle(_ entry: EntrySettlement, claim: Epoch?) throws -> EntryResult {
        guard let place = try place(of: entry.bucket), admits(entry.id, books.buckets[place], claim) else {
            return .stale
        }
        if try isSettled(entry.id, in: place) {
            return .already(exceptions: try exceptions(of: entry))
        }
        books.entrySerial += 1
        // At durable nobody was told yes for what SQL has no row of, not even where a recovery finds it in an outbox.
        let policy: CapacityPolicy = books.isDurable ? .void : .overCapacity
        let exceptions = try guarded {
            let exceptions = try act(entry, policy: policy)
            try writeMovements(bucket: entry.bucket, id: entry.id)
            return exceptions
        } refused: { error in
            // What Redis moved with it is not known to be right: a comparison will find it.
            try writeDeadLetter(
                bucket: entry.bucket, id: entry.id, blob: [], reason: "an entry that SQL refuses: \(error)")
            return try self.exceptions(of: entry)
        }
        try noteSettled(entry.id, in: place)
        return .settled(exceptions: exceptions)
    }

    /// The fence: without a claim the bucket's present, open epoch; with one, that claim's recovery before its fold.
    private func admits(_ id: OutboxID, _ bucket: TransactionBooks.Bucket, _ claim: Epoch?) -> Bool {
        guard let claim else { return bucket.state == .open && bucket.epoch == id.epoch }
        return bucket.state == .recovering && bucket.epoch == claim && id.epoch < claim && !bucket.isFolded
    }

    private func act(_ entry: EntrySettlement, policy: CapacityPolicy) throws -> [FlowID: OrderSettlement] {
        var exceptions: [FlowID: OrderSettlement] = [:]
        switch entry.action {
        case .deduct(let orders):
            for order in orders {
                books.wasTakenBefore = false
                let settlement = try guarded {
                    try settle(order, bucket: entry.bucket, id: entry.id, policy: policy)
                } refused: { error in
                    try writeDeadLetter(order, bucket: entry.bucket, id: entry.id, reason: "SQL refuses it: \(error)")
                    return .conflict
                }
                if settlement != .committed || books.wasTakenBefore { exceptions[order.flow] = settlement }
                // Whatever SQL made of it: Redis took it.
                for line in order.lines {
                    try move(line.sku, by: Int64(line.quantity))
                }
            }
        case .release(let givenBack, let tombstones):
            for order in givenBack {
                try end(order, at: entry.id, .givenBack)
                for line in order.lines {
                    try move(line.sku, by: -Int64(line.quantity))
                }
            }
            for order in tombstones { try end(order, at: entry.id, .tombstone) }
        case .restock(let sku, let version, let units):
            try applyRestock(sku: sku, version: version, units: units, entry: entry)
        case .mark:
            break
        case .repair(let sku, let delta):
            let place = try place(of: sku)
            if let place, books.skus[place].bucket == entry.bucket.rawValue,
                (-Self.repairUnitsMax...Self.repairUnitsMax).contains(delta)
            {
                try move(sku, by: delta)
            } else {
                try writeDeadLetter(
                    bucket: entry.bucket, id: entry.id, blob: [],
                    reason: "a repair of SKU number \(sku.rawValue) by \(delta), which its bucket cannot have")
            }
        case .unreadable(let blob):
            try writeDeadLetter(bucket: entry.bucket, id: entry.id, blob: blob, reason: "an entry that cannot be read")
        }
        return exceptions
    }

    /// Notes at which id Redis applied a restock. One that SQL never ordered is a dead letter.
    ///
    /// What is taken back leaves the allocation only here, in whatever order entries are settled: an order is given back in SQL before
    /// Redis, so SQL's orders never hold more than Redis had taken at the newest entry that is settled, and there it all fitted.
    private func applyRestock(sku: SKUNumber, version: Int64, units: Int64, entry: EntrySettlement) throws {
        findRestock.bind(1, entry.bucket.rawValue)
        findRestock.bind(2, sku.rawValue)
        findRestock.bind(3, version)
        let found = try findRestock.next() ? (ordered: findRestock.int64(0), isEnded: findRestock.int64(1) != 0) : nil
        findRestock.reset()
        // Ended by a fold before: it decided, whatever Redis had made of it.
        if let found, found.isEnded, found.ordered <= 0, units <= 0 { return }
        guard let found, found.ordered == units || units == 0 && found.ordered < 0 else {
            try writeDeadLetter(
                bucket: entry.bucket, id: entry.id, blob: [],
                reason:
                    "a restock of SKU number \(sku.rawValue) from version \(version) by \(units) that SQL did not order"
            )
            return
        }
        var applied = units
        if units < 0 {
            guard let place = try place(of: sku) else { return }
            let left = books.skus[place].allocated - books.skus[place].sold - books.skus[place].reserved
            if left + units >= 0 {
                books.skus[place].allocated += units
                books.skus[place].isShrunk = true
            } else {
                // Redis took back what orders hold, so its books are not SQL's: a comparison tells, and SQL's stand.
                applied = 0
            }
        }
        endRestock.bind(1, entry.bucket.rawValue)
        endRestock.bind(2, sku.rawValue)
        endRestock.bind(3, version)
        endRestock.bind(4, entry.id.epoch.rawValue)
        endRestock.bind(5, entry.id.n)
        endRestock.bind(6, applied)
        try endRestock.run()
    }

    private func exceptions(of entry: EntrySettlement) throws -> [FlowID: OrderSettlement] {
        guard case .deduct(let orders) = entry.action else { return [:] }
        var exceptions: [FlowID: OrderSettlement] = [:]
        for order in orders {
            let settlement = try lookUp(order)
            if settlement != .committed { exceptions[order.flow] = settlement }
        }
        return exceptions
    }

    private func settle(_ duplicate: DuplicateSettlement) throws -> DuplicateResult {
        let bucket = duplicate.order.bucket
        guard let place = try place(of: bucket), admits(duplicate.id, books.buckets[place], nil) else { return .stale }
        return .settled(
            try settle(
                duplicate.order, bucket: bucket, id: duplicate.id, policy: books.isDurable ? .void : .overCapacity))
    }
}
