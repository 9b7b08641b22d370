import GRDB
import GRDBSQLite
import Inventory

/// The writing connection's prepared statements, and the decisions that a transaction takes with them.
///
/// Confined to the writer's serial queue. `SQLiteWriter+entries.swift` settles outbox entries, `+orders.swift` decides on
/// single orders, `+books.swift` keeps the counters of the transaction under way.
final class SQLiteWriter {
    private let connection: OpaquePointer
    /// Whose time rows carry.
    var clock: SaleClock
    private let begin: SQLiteStatement
    private let commitTransaction: SQLiteStatement
    private let rollback: SQLiteStatement

    let insertOrder: SQLiteStatement
    let findOrder: SQLiteStatement
    let changeOrder: SQLiteStatement
    let insertItem: SQLiteStatement
    let changeItem: SQLiteStatement
    let wantGiveBack: SQLiteStatement
    let endGiveBack: SQLiteStatement
    let noteGiveBack: SQLiteStatement
    let forgetGiveBack: SQLiteStatement
    let insertMovement: SQLiteStatement
    let insertDeadLetter: SQLiteStatement

    let findSKU: SQLiteStatement
    let findFrozen: SQLiteStatement
    let writeSKU: SQLiteStatement
    let findBucket: SQLiteStatement
    let writeBucket: SQLiteStatement
    let findBase: SQLiteStatement
    let findDurability: SQLiteStatement
    let addToCount: SQLiteStatement
    let findSettled: SQLiteStatement
    let anySettled: SQLiteStatement
    let insertSettled: SQLiteStatement
    let deleteSettled: SQLiteStatement
    let writeAllocated: SQLiteStatement
    let findRestock: SQLiteStatement
    let endRestock: SQLiteStatement
    let limits: LimitStatements
    let life: OrderLifeStatements

    let wideStatements: WideStatements

    var books = TransactionBooks()

    init(_ database: Database, clock: SaleClock) throws {
        self.clock = clock
        guard let connection = database.sqliteConnection else {
            throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "the connection is closed")
        }
        self.connection = connection
        func prepare(_ sql: String) throws -> SQLiteStatement { try SQLiteStatement(database, sql) }
        begin = try prepare("BEGIN IMMEDIATE")
        commitTransaction = try prepare("COMMIT")
        rollback = try prepare("ROLLBACK")

        insertOrder = try prepare(
            """
            INSERT OR IGNORE INTO orders (flow, bucket, epoch, n, state, digest, at, deadline)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """)
        findOrder = try prepare("SELECT bucket, state, digest, epoch, n FROM orders WHERE flow = ?1")
        changeOrder = try prepare(
            "UPDATE orders SET state = ?4 WHERE flow = ?1 AND bucket = ?2 AND digest = ?3 AND state = ?5")
        insertItem = try prepare("INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        changeItem = try prepare("UPDATE items SET kind = ?4 WHERE bucket = ?1 AND flow = ?2 AND sku = ?3")
        // A give-back that was done asks again only for a take with a later id than the one that did it.
        wantGiveBack = try prepare(
            """
            INSERT INTO giveBacks VALUES (?1, ?2, ?3, ?4, NULL, NULL) ON CONFLICT (flow, digest) DO UPDATE
            SET doneEpoch = NULL, doneN = NULL
            WHERE doneEpoch IS NOT NULL AND (doneEpoch, doneN) < (?5, ?6)
            """)
        endGiveBack = try prepare(
            """
            INSERT INTO giveBacks VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (flow, digest) DO UPDATE
            SET doneEpoch = ?5, doneN = ?6 WHERE doneEpoch IS NULL OR (doneEpoch, doneN) < (?5, ?6)
            """)
        // The entry that moved the units is the one that did it, whatever Redis was asked and answered since.
        noteGiveBack = try prepare(
            """
            INSERT INTO giveBacks VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (flow, digest) DO UPDATE
            SET doneEpoch = ?5, doneN = ?6
            """)
        forgetGiveBack = try prepare(
            """
            INSERT INTO giveBacks VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (flow, digest) DO UPDATE
            SET doneEpoch = ?5, doneN = ?6 WHERE doneEpoch IS NULL
            """)
        insertMovement = try prepare("INSERT INTO ledger VALUES (?1, ?2, ?3, ?4, ?5)")
        insertDeadLetter = try prepare(
            """
            INSERT INTO deadLetters (bucket, epoch, n, blob, reason, at, isOrder)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """)

        findSKU = try prepare(
            """
            SELECT bucket, allocated, sold, reserved, overCapacity,
                (SELECT limitPerBuyer FROM skus WHERE skus.number = counters.sku) FROM counters WHERE sku = ?1
            """)
        findFrozen = try prepare("SELECT frozen FROM counters WHERE sku = ?1")
        writeSKU = try prepare("UPDATE counters SET sold = ?2, reserved = ?3, overCapacity = ?4 WHERE sku = ?1")
        findBucket = try prepare(
            """
            SELECT epoch, state, drainedEpoch, drainedN,
                EXISTS (SELECT 1 FROM settled WHERE bucket = number AND epoch = drainedEpoch), watermark
            FROM buckets WHERE number = ?1
            """)
        writeBucket = try prepare("UPDATE buckets SET drainedN = ?2 WHERE number = ?1")
        findBase = try prepare("SELECT 1 FROM cutBase WHERE bucket = ?1 AND epoch = ?2 LIMIT 1")
        findDurability = try prepare("SELECT durability = 'durable' FROM sales")
        addToCount = try prepare("UPDATE orderCounts SET orders = orders + ?2 WHERE state = ?1")
        findSettled = try prepare("SELECT 1 FROM settled WHERE bucket = ?1 AND epoch = ?2 AND n = ?3")
        anySettled = try prepare("SELECT 1 FROM settled WHERE bucket = ?1 AND epoch = ?2 LIMIT 1")
        insertSettled = try prepare("INSERT INTO settled VALUES (?1, ?2, ?3)")
        deleteSettled = try prepare("DELETE FROM settled WHERE bucket = ?1 AND epoch = ?2 AND n = ?3")
        writeAllocated = try prepare("UPDATE counters SET allocated = ?2 WHERE sku = ?1")
        findRestock = try prepare(
            """
            SELECT units, epoch IS NOT NULL FROM restocks WHERE bucket = ?1 AND sku = ?2 AND fromVersion = ?3
            """)
        endRestock = try prepare(
            """
            UPDATE restocks SET epoch = ?4, n = ?5, units = ?6
            WHERE bucket = ?1 AND sku = ?2 AND fromVersion = ?3 AND epoch IS NULL
            """)
        limits = try LimitStatements(database)
        wideStatements = try WideStatements(database)
        life = try OrderLifeStatements(database)
    }

    /// Runs `body` between BEGIN IMMEDIATE and COMMIT.
    ///
    /// - Throws: `TransactionFailure`, which says whether the error came before the COMMIT (nothing changed) or from it.
    func transaction<T>(_ body: () throws -> T) throws -> T {
        do { try begin.run() } catch { throw TransactionFailure(phase: .beginning, underlying: error) }
        let value: T
        do {
            value = try body()
        } catch {
            undo()
            throw TransactionFailure(phase: .body, underlying: error)
        }
        do {
            try commitTransaction.run()
        } catch {
            undo()
            throw TransactionFailure(phase: .commit, underlying: error)
        }
        return value
    }

    /// Undoes what the transaction under way did so far, and goes on with nothing done.
    func startAgain() throws {
        try rollback.run()
        try begin.run()
    }

    /// Rolls back, unless SQLite has done so itself (it does after a full disk or an I/O error).
    private func undo() {
        if sqlite3_get_autocommit(connection) == 0 { _ = try? rollback.run() }
    }

    /// Unix milliseconds.
    func now() -> Int64 { Int64(clock.unixMilliseconds) }
}

/// An order's lines as `giveBacks.lines` and dead letters hold them: SKU number and quantity, 4 bytes each, little endian.
enum PackedLines {
    static func pack(_ lines: some Collection<OrderLine>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(lines.count * 8)
        for line in lines {
            withUnsafeBytes(of: line.sku.rawValue.littleEndian) { bytes.append(contentsOf: $0) }
            withUnsafeBytes(of: line.quantity.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    static func unpack(_ bytes: [UInt8]) -> [OrderLine] {
        bytes.withUnsafeBytes { raw in
            stride(from: 0, to: raw.count / 8 * 8, by: 8).map { offset in
                OrderLine(
                    sku: SKUNumber(
                        rawValue: Int32(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: Int32.self))),
                    quantity: Int32(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 4, as: Int32.self)))
            }
        }
    }
}
