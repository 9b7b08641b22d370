import Foundation
import GRDB
public import Inventory

/// Epochs: who recovers a bucket, and what it must hold.
extension SQLiteOrderStore {
    /// Lua's numbers are exact up to here, and Redis compares epochs in Lua.
    static let epochMax: Int64 = 1 << 52

    public func claimEpoch(bucket: BucketNumber, above: Epoch, by claimant: String) async throws -> Epoch {
        guard above.rawValue < Self.epochMax else {
            throw OrderStoreError(
                .refused,
                "Redis shows epoch \(above.rawValue) for bucket \(bucket.rawValue), which no sale reaches; check its keys"
            )
        }
        return try await write { database, _ in
            _ = try Self.requireBucket(database, bucket)
            return try self.takeEpoch(database, bucket: bucket, above: above, by: claimant)
        }
    }

    /// Draws the next epoch and closes the bucket in SQL under it. Within a write transaction.
    func takeEpoch(
        _ database: Database, bucket: BucketNumber, above: Epoch, by claimant: String
    ) throws -> Epoch {
        let last = try Int64.fetchOne(database, cached: "SELECT last FROM epochCounter") ?? 0
        let epoch = max(last, above.rawValue) + 1
        try database.execute(cached: "UPDATE epochCounter SET last = ?", arguments: [epoch])
        try database.execute(
            cached: "INSERT INTO epochs VALUES (?, ?, ?, ?, NULL)",
            arguments: [epoch, bucket.rawValue, claimant, Int64(clock.unixMilliseconds)])
        try database.execute(
            cached: "UPDATE buckets SET epoch = ?, state = ? WHERE number = ?",
            arguments: [epoch, BucketState.recovering.rawValue, bucket.rawValue])
        return Epoch(rawValue: epoch)
    }

    public func fold(bucket: BucketNumber, claim: Epoch) async throws -> BucketFold {
        try await write { database, writer in
            let record = try Self.requireBucket(database, bucket)
            guard record.epoch == claim, record.state == .recovering else { throw Self.stale(claim, record) }
            let sale = try Self.requireSale(database)
            let dead = try Self.deadUnits(database, of: bucket)
            try Self.takeBack(database, in: bucket, dead: dead)
            let limits = try Self.limits(database, bucket)
            var skus: [BucketFold.SKU] = []
            let rows = try SQLiteStatement(
                cachedBy: database,
                """
                SELECT counters.sku, allocated, version, sold + reserved, frozen
                FROM skus CROSS JOIN counters ON counters.sku = skus.number WHERE skus.bucket = ?1 ORDER BY skus.number
                """)
            rows.bind(1, bucket.rawValue)
            while try rows.next() {
                let number = SKUNumber(rawValue: rows.int32(0))
                let (allocated, taken) = (rows.int64(1), rows.int64(3))
                // A dead letter counts as taken until a person settles it; never beyond what there is.
                let dead = min(max(0, dead[number] ?? 0), allocated - taken)
                skus.append(
                    BucketFold.SKU(
                        sku: number, allocated: allocated, version: rows.int64(2), taken: taken + dead,
                        frozen: rows.int64(4) != 0, limitPerBuyer: limits[number]))
            }
            let base = try BaseWriter(database, bucket, claim)
            for sku in skus {
                try base.write(sku.sku, taken: sku.taken, allocated: sku.allocated, version: sku.version)
            }
            for table in ["giveBacks SET doneEpoch = ?, doneN = 0", "restocks SET epoch = ?, n = 0"] {
                let pending = table.hasPrefix("giveBacks") ? "doneEpoch" : "epoch"
                try database.execute(
                    cached: "UPDATE \(table) WHERE bucket = ? AND \(pending) IS NULL",
                    arguments: [claim.rawValue, bucket.rawValue])
            }
            // Redis is rebuilt without what is settled below the watermark.
            try database.execute(
                cached: "DELETE FROM passed WHERE bucket = ? AND \(Self.isSettled)", arguments: [bucket.rawValue])
            let ledger = try writer.ledger(of: bucket, from: record.watermark, skus: skus.map(\.sku))
            let held = try skus.filter { $0.limitPerBuyer != nil }.flatMap {
                try Self.held(database, $0.sku, after: nil, limit: .max)
            }
            return BucketFold(
                skus: skus, ledger: ledger, held: held, watermark: record.watermark, saleState: sale.state)
        }
    }

    /// Units that one buyer may hold, of the bucket's SKUs that are limited.
    private static func limits(_ database: Database, _ bucket: BucketNumber) throws -> [SKUNumber: Int64] {
        let rows = try SQLiteStatement(
            cachedBy: database,
            """
            SELECT number, limitPerBuyer FROM skus INDEXED BY limitedSKUs WHERE bucket = ?1 AND limitPerBuyer IS NOT NULL
            """)
        rows.bind(1, bucket.rawValue)
        var limits: [SKUNumber: Int64] = [:]
        while try rows.next() { limits[SKUNumber(rawValue: rows.int32(0))] = rows.int64(1) }
        return limits
    }

    public func markOpened(bucket: BucketNumber, claim: Epoch) async throws -> OpeningState {
        try await write { database, _ in
            let record = try Self.requireBucket(database, bucket)
            guard record.epoch == claim, record.state != .new else { throw Self.stale(claim, record) }
            if record.state == .recovering {
                let isFolded = try Bool.fetchOne(
                    database, cached: "SELECT EXISTS (SELECT 1 FROM cutBase WHERE bucket = ? AND epoch = ?)",
                    arguments: [bucket.rawValue, claim.rawValue])
                guard isFolded == true else {
                    throw OrderStoreError(
                        .refused,
                        "cannot open bucket \(bucket.rawValue): epoch \(claim.rawValue) was not folded; fold it first")
                }
                try database.execute(
                    cached: "UPDATE buckets SET state = ?, drainedEpoch = ?, drainedN = 0 WHERE number = ?",
                    arguments: [BucketState.open.rawValue, claim.rawValue, bucket.rawValue])
                try database.execute(
                    cached: "UPDATE epochs SET openedAt = ? WHERE epoch = ?",
                    arguments: [Int64(self.clock.unixMilliseconds), claim.rawValue])
                try database.execute(
                    cached: "DELETE FROM settled WHERE bucket = ? AND epoch < ?",
                    arguments: [bucket.rawValue, claim.rawValue])
            }
            let frozen = try Int32.fetchAll(
                database,
                cached: "SELECT sku FROM counters INDEXED BY frozenSKUs WHERE frozen AND bucket = ?",
                arguments: [bucket.rawValue])
            let act = try Int64.fetchOne(
                database, sql: "SELECT act FROM buckets WHERE number = ?", arguments: [bucket.rawValue])
            return OpeningState(
                saleState: try Self.requireSale(database).state, frozen: Set(frozen.map(SKUNumber.init(rawValue:))),
                act: act ?? 0, watermark: record.watermark)
        }
    }

    public func buckets() async throws -> [BucketRecord] {
        try await read { database in
            // Everybody who works behind a sale asks this all the time: parsed once a connection.
            let rows = try SQLiteStatement(
                cachedBy: database, "SELECT \(Self.bucketColumns) FROM buckets ORDER BY number")
            var records: [BucketRecord] = []
            while try rows.next() {
                records.append(
                    BucketRecord(
                        bucket: BucketNumber(rawValue: rows.int32(0)), epoch: Epoch(rawValue: rows.int64(1)),
                        state: BucketState(rawValue: rows.text(2)) ?? .recovering,
                        drainedThrough: OutboxID(epoch: Epoch(rawValue: rows.int64(3)), n: rows.int64(4)),
                        watermark: rows.isNull(5) ? nil : rows.flow(5)))
            }
            return records
        }
    }

    public func bucket(_ number: BucketNumber) async throws -> BucketRecord? {
        try await read { try CutReader($0).record(of: number) }
    }

    public func bucketControls() async throws -> [BucketControl] {
        try await read { database in
            guard let state = try Self.fetchSale(database)?.state else { return [] }
            var frozen: [Int32: Set<SKUNumber>] = [:]
            for row in try Row.fetchAll(
                database.cachedStatement(sql: "SELECT bucket, sku FROM counters INDEXED BY frozenSKUs WHERE frozen"))
            {
                frozen[row[0], default: []].insert(SKUNumber(rawValue: row[1]))
            }
            return try Row.fetchAll(
                database.cachedStatement(sql: "SELECT \(Self.bucketColumns), act FROM buckets ORDER BY number")
            ).map { row in
                let record = Self.record(row)
                return BucketControl(
                    record: record, act: row[6], saleState: state, frozen: frozen[record.bucket.rawValue] ?? [])
            }
        }
    }

    // MARK: Rows

    private static let bucketColumns = "number, epoch, state, drainedEpoch, drainedN, watermark"

    private static func record(_ row: Row) -> BucketRecord {
        BucketRecord(
            bucket: BucketNumber(rawValue: row[0]), epoch: Epoch(rawValue: row[1]),
            state: BucketState(rawValue: row[2]) ?? .recovering,
            drainedThrough: OutboxID(epoch: Epoch(rawValue: row[3]), n: row[4]),
            watermark: (row[5] as Data?).flatMap { FlowID(bytes: $0) })
    }

    static func fetchBucket(_ database: Database, _ bucket: BucketNumber) throws -> BucketRecord? {
        try Row.fetchOne(
            database, cached: "SELECT \(bucketColumns) FROM buckets WHERE number = ?", arguments: [bucket.rawValue]
        ).map(record)
    }

    static func requireBucket(_ database: Database, _ bucket: BucketNumber) throws -> BucketRecord {
        guard let record = try fetchBucket(database, bucket) else {
            throw OrderStoreError(.refused, "bucket number \(bucket.rawValue) is not in this sale")
        }
        return record
    }

    static func stale(_ claim: Epoch, _ record: BucketRecord) -> OrderStoreError {
        OrderStoreError(
            .refused,
            "bucket \(record.bucket.rawValue) is \(record.state.rawValue) in epoch \(record.epoch.rawValue), "
                + "so nothing is done under epoch \(claim.rawValue); leave it to that recovery")
    }
}

extension SQLiteWriter {
    /// Every flow of a bucket from the watermark on, and what `passed` has below it, by SKU in flow order, from one scan.
    func ledger(of bucket: BucketNumber, from watermark: FlowID?, skus: [SKUNumber]) throws -> [LedgerRow] {
        struct Line {
            let line: OrderLine
            let kind: ItemKind
            let n: Int64
        }
        var rows: [SKUNumber: [LedgerRow]] = [:]
        var flow: FlowID?
        var lines: [Line] = []
        var buyer: BuyerID?
        var digestsOfGroups: [FlowID: OrderDigest] = [:]
        wideStatements.partsOfBucket.bind(1, bucket.rawValue)
        while try wideStatements.partsOfBucket.next() {
            digestsOfGroups[wideStatements.partsOfBucket.flow(0)] = OrderDigest(
                rawValue: UInt64(bitPattern: wideStatements.partsOfBucket.int64(1)))
        }
        // Else the digest is a function of bucket, lines and buyer, so the orders' table need not be asked.
        func finishFlow() {
            guard let flow else { return }
            let digest =
                digestsOfGroups[flow] ?? OrderDigest(bucket: bucket, lines: OrderLines(lines.map(\.line)), buyer: buyer)
            for line in lines {
                rows[line.line.sku, default: []].append(
                    LedgerRow(
                        sku: line.line.sku, flow: flow, digest: digest,
                        quantity: line.kind == .overCapacity ? 0 : Int64(line.line.quantity),
                        cancelled: line.kind == .cancelled, n: line.n))
            }
            lines.removeAll(keepingCapacity: true)
        }
        for items in limits.ledger(withBuyers: try hasBuyers()) {
            items.bind(1, bucket.rawValue)
            items.bind(2, watermark ?? FlowID(high: 0, low: 0))
            while try items.next() {
                let next = items.flow(0)
                if next != flow {
                    finishFlow()
                    flow = next
                    buyer = BuyerID(bytes: items.bytes(5))
                }
                lines.append(
                    Line(
                        line: OrderLine(sku: SKUNumber(rawValue: items.int32(1)), quantity: items.int32(2)),
                        kind: ItemKind(rawValue: items.int32(3)) ?? .cancelled, n: items.int64(4)))
            }
        }
        finishFlow()
        return skus.flatMap { rows[$0] ?? [] }
    }
}
