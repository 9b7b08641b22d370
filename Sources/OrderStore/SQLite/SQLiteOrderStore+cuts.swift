import GRDB
public import Inventory
import Synchronization

/// What moved in a bucket from its epoch's base up to an entry. Ids up to a drained one never change, so the next cut starts
/// from it; what did not move takes no room.
struct CutCache {
    let id: OutboxID
    /// Ascending by SKU.
    let moved: [MovedSKU]
}

/// What the entries of an epoch changed of one SKU.
struct MovedSKU {
    let sku: Int32
    var taken: Int64 = 0
    var allocated: Int64 = 0
    var versions: Int64 = 0

    static func + (left: MovedSKU, right: MovedSKU) -> MovedSKU {
        MovedSKU(
            sku: left.sku, taken: left.taken + right.taken, allocated: left.allocated + right.allocated,
            versions: left.versions + right.versions)
    }
}

/// Folds beside cuts, and whether the books add up.
extension SQLiteOrderStore {
    public func foldForCut(bucket: BucketNumber, through id: OutboxID) async throws -> [SKUNumber: CutFold]? {
        try await books(for: [CutPosition(bucket: bucket, id: id)])[0].map { books in
            Dictionary(uniqueKeysWithValues: books.skus.map { ($0.sku, $0.fold) })
        }
    }

    public func books(for cuts: [CutPosition]) async throws -> [CutBooks?] {
        let known = self.cuts.withLock { all in cuts.map { all[$0.bucket] } }
        let read = try await readInTurn { database -> [(books: CutBooks, cache: CutCache)?] in
            let reader = try CutReader(database)
            return try zip(cuts, known).map { cut, known in
                guard let record = try reader.record(of: cut.bucket), record.epoch == cut.id.epoch,
                    record.drainedThrough >= cut.id
                else { return nil }
                return try reader.books(record, through: cut.id, from: known)
            }
        }
        self.cuts.withLock { all in
            for case (let cut, (_, let cache)?) in zip(cuts, read) { all[cut.bucket] = cache }
        }
        return read.map { $0?.books }
    }

    public func balance(bucket: BucketNumber) async throws -> BookBalance? {
        let known = cuts.withLock { $0[bucket] }
        return try await read { database -> BookBalance? in
            let reader = try CutReader(database)
            guard let record = try reader.record(of: bucket), record.state == .open else { return nil }
            let (books, _) = try reader.books(
                record, through: OutboxID(epoch: record.epoch, n: .max), from: known)
            return BookBalance(drainedThrough: record.drainedThrough, skus: books.skus.map(\.balance))
        }
    }
}

/// Reads books beside cuts from one connection, in the snapshot of whoever made it.
struct CutReader {
    private let database: Database
    private let buckets: SQLiteStatement
    private let ledger: SQLiteStatement
    private let restocks: SQLiteStatement
    private let rows: SQLiteStatement
    private let giveBacks: SQLiteStatement
    private let hasDeadLetters: Bool

    init(_ database: Database) throws {
        self.database = database
        buckets = try SQLiteStatement(
            cachedBy: database,
            "SELECT number, epoch, state, drainedEpoch, drainedN, watermark FROM buckets WHERE number = ?1")
        let within = "WHERE bucket = ?1 AND epoch = ?2 AND n > ?3"
        ledger = try SQLiteStatement(cachedBy: database, "SELECT n, sku, quantity FROM ledger \(within)")
        restocks = try SQLiteStatement(cachedBy: database, "SELECT n, sku, units FROM restocks \(within)")
        rows = try SQLiteStatement(
            cachedBy: database,
            """
            SELECT base.sku, base.taken, base.allocated, base.version, counters.frozen, counters.sold + counters.reserved,
                counters.overCapacity
            FROM cutBase AS base CROSS JOIN counters ON counters.sku = base.sku
            WHERE base.bucket = ?1 AND base.epoch = ?2 ORDER BY base.sku
            """)
        giveBacks = try SQLiteStatement(
            cachedBy: database,
            "SELECT lines FROM giveBacks INDEXED BY pendingGiveBacks WHERE bucket = ?1 AND doneEpoch IS NULL")
        hasDeadLetters =
            try Bool.fetchOne(
                database, cached: "SELECT EXISTS (SELECT 1 FROM deadLetters WHERE isOrder AND settledAs IS NULL)")
            ?? true
    }

    func record(of bucket: BucketNumber) throws -> BucketRecord? {
        buckets.bind(1, bucket.rawValue)
        guard try buckets.next() else { return nil }
        defer { buckets.reset() }
        return BucketRecord(
            bucket: bucket, epoch: Epoch(rawValue: buckets.int64(1)),
            state: BucketState(rawValue: buckets.text(2)) ?? .recovering,
            drainedThrough: OutboxID(epoch: Epoch(rawValue: buckets.int64(3)), n: buckets.int64(4)),
            watermark: buckets.isNull(5) ? nil : buckets.flow(5))
    }

    /// The base of `id`'s epoch and what moved up to `id`; beside it everything that is settled, beyond gaps too: counters hold
    /// its orders as well.
    func books(
        _ record: BucketRecord, through id: OutboxID, from known: CutCache?
    ) throws -> (books: CutBooks, cache: CutCache) {
        let (through, all) = try moved(in: record.bucket, through: id, from: known)
        let waiting = try waiting(in: record.bucket)
        var skus: [CutBooks.SKU] = []
        var (atThrough, atAll) = (0, 0)
        rows.bind(1, record.bucket.rawValue)
        rows.bind(2, id.epoch.rawValue)
        while try rows.next() {
            let sku = rows.int32(0)
            let base = MovedSKU(sku: sku, taken: rows.int64(1), allocated: rows.int64(2), versions: rows.int64(3))
            let cut = base + Self.next(in: through, &atThrough, sku)
            let now = base + Self.next(in: all, &atAll, sku)
            skus.append(
                CutBooks.SKU(
                    sku: SKUNumber(rawValue: sku), allocated: cut.allocated, version: cut.versions, taken: cut.taken,
                    frozen: rows.int64(4) != 0, takenInAll: now.taken, held: rows.int64(5),
                    mayBeTaken: rows.int64(6) + (waiting.isEmpty ? 0 : waiting[sku] ?? 0)))
        }
        return (CutBooks(record: record, skus: skus), CutCache(id: id, moved: through))
    }

    /// What moved of one SKU, asked in ascending order.
    private static func next(in moved: [MovedSKU], _ position: inout Int, _ sku: Int32) -> MovedSKU {
        while position < moved.count, moved[position].sku < sku { position += 1 }
        return position < moved.count && moved[position].sku == sku ? moved[position] : MovedSKU(sku: sku)
    }

    /// What moved since the base, up to `id` and in all, starting from the cut folded before if it is not beyond `id`.
    private func moved(
        in bucket: BucketNumber, through id: OutboxID, from known: CutCache?
    ) throws -> (through: [MovedSKU], all: [MovedSKU]) {
        var (start, earlier): (Int64, [MovedSKU]) = (0, [])
        if let known, known.id.epoch == id.epoch, known.id.n <= id.n { (start, earlier) = (known.id.n, known.moved) }
        var through: [Int32: MovedSKU] = [:]
        var beyond: [Int32: MovedSKU] = [:]
        for (statement, isRestock) in [(ledger, false), (restocks, true)] {
            statement.bind(1, bucket.rawValue)
            statement.bind(2, id.epoch.rawValue)
            statement.bind(3, start)
            while try statement.next() {
                let (sku, units) = (statement.int32(1), statement.int64(2))
                let moved =
                    isRestock
                    ? MovedSKU(sku: sku, allocated: units, versions: 1) : MovedSKU(sku: sku, taken: units)
                if statement.int64(0) <= id.n {
                    through[sku] = (through[sku] ?? MovedSKU(sku: sku)) + moved
                } else {
                    beyond[sku] = (beyond[sku] ?? MovedSKU(sku: sku)) + moved
                }
            }
        }
        let upToCut = Self.sum(earlier, through)
        return (upToCut, Self.sum(upToCut, beyond))
    }

    private static func sum(_ list: [MovedSKU], _ more: [Int32: MovedSKU]) -> [MovedSKU] {
        if more.isEmpty { return list }
        var more = more
        var sum = list.map { moved in more.removeValue(forKey: moved.sku).map { moved + $0 } ?? moved }
        sum.append(contentsOf: more.values)
        return sum.sorted { $0.sku < $1.sku }
    }

    /// Units that Redis may have taken for orders that hold nothing: what waits to be given back, and dead letters, which count as
    /// taken until a person settles them.
    private func waiting(in bucket: BucketNumber) throws -> [Int32: Int64] {
        var waiting: [Int32: Int64] = [:]
        giveBacks.bind(1, bucket.rawValue)
        while try giveBacks.next() {
            for line in PackedLines.unpack(giveBacks.bytes(0)) {
                waiting[line.sku.rawValue, default: 0] += Int64(line.quantity)
            }
        }
        if hasDeadLetters {
            for (sku, units) in try SQLiteOrderStore.deadUnits(database, of: bucket) {
                waiting[sku.rawValue, default: 0] += max(0, units)
            }
        }
        return waiting
    }
}
