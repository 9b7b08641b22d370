import GRDB
import GRDBSQLite
import Inventory

/// One prepared statement on the hot path: bound by position, stepped, reset, without an array or a string a row.
///
/// The one owner of its handle, unless it stands in the connection's cache of statements. It is confined to its connection's
/// dispatch queue, as the connection is; whoever makes one lets go of it before the connection closes.
final class SQLiteStatement {
    private let handle: OpaquePointer
    private let connection: OpaquePointer
    /// Keeps the handle; `nil`: it is ours.
    private let owner: Statement?
    /// Where a bound flow's bytes lie until the statement is reset, so that SQLite need not copy them.
    private let flowBytes: UnsafeMutablePointer<UInt64>

    init(_ database: Database, _ sql: String) throws {
        guard let connection = database.sqliteConnection else {
            throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "the connection is closed")
        }
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else {
            throw Self.error(of: connection)
        }
        self.handle = handle
        self.connection = connection
        owner = nil
        flowBytes = .allocate(capacity: 2)
        flowBytes.initialize(repeating: 0, count: 2)
    }

    /// A statement that is parsed once a connection. One of a text at a time.
    init(cachedBy database: Database, _ sql: String) throws {
        let statement = try database.cachedStatement(sql: sql)
        guard let connection = database.sqliteConnection else {
            throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "the connection is closed")
        }
        handle = statement.sqliteStatement
        self.connection = connection
        owner = statement
        flowBytes = .allocate(capacity: 2)
        flowBytes.initialize(repeating: 0, count: 2)
    }

    deinit {
        if owner == nil {
            sqlite3_finalize(handle)
        } else {
            sqlite3_reset(handle)
            // The flow's bytes go now.
            sqlite3_clear_bindings(handle)
        }
        flowBytes.deallocate()
    }

    static func error(of connection: OpaquePointer) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
            message: String(cString: sqlite3_errmsg(connection)))
    }

    // MARK: Binding

    func bind(_ position: Int32, _ value: Int64) { sqlite3_bind_int64(handle, position, value) }
    func bind(_ position: Int32, _ value: Int32) { sqlite3_bind_int64(handle, position, Int64(value)) }

    func bindNull(_ position: Int32) { sqlite3_bind_null(handle, position) }

    /// Binds a flow's 16 bytes. One flow a statement.
    func bind(_ position: Int32, _ flow: FlowID) {
        flowBytes[0] = flow.high.bigEndian
        flowBytes[1] = flow.low.bigEndian
        // A nil destructor is SQLITE_STATIC: the bytes stay ours, and stay put until the next bind.
        sqlite3_bind_blob(handle, position, flowBytes, 16, nil)
    }

    /// Binds a blob by copy (SQLITE_TRANSIENT, a macro that Swift does not see).
    func bind(copying bytes: [UInt8], at position: Int32) {
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        _ = bytes.withUnsafeBytes { raw in
            // A null pointer would bind NULL, so an empty blob gets its own call.
            if raw.isEmpty {
                sqlite3_bind_zeroblob(handle, position, 0)
            } else {
                sqlite3_bind_blob(handle, position, raw.baseAddress, Int32(raw.count), transient)
            }
        }
    }

    func bind(copying text: String, at position: Int32) {
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        sqlite3_bind_text(handle, position, text, -1, transient)
    }

    // MARK: Running

    /// Runs a statement that gives no rows. Returns how many rows it inserted or changed.
    @discardableResult
    func run() throws -> Int {
        let code = sqlite3_step(handle)
        guard code == SQLITE_DONE else {
            let error = Self.error(of: connection)
            sqlite3_reset(handle)
            throw error
        }
        // Read before the reset: for a statement that changed nothing it is 0.
        let changes = Int(sqlite3_changes(connection))
        sqlite3_reset(handle)
        return changes
    }

    /// Steps to the next row; false at the end, when the statement is reset.
    func next() throws -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        let error = code == SQLITE_DONE ? nil : Self.error(of: connection)
        sqlite3_reset(handle)
        if let error { throw error }
        return false
    }

    /// Ends a reading before its last row.
    func reset() { sqlite3_reset(handle) }

    // MARK: Columns of the present row

    func int64(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func int32(_ column: Int32) -> Int32 { sqlite3_column_int(handle, column) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// A flow of 16 bytes; zero if the column is none.
    func flow(_ column: Int32) -> FlowID {
        guard sqlite3_column_bytes(handle, column) == 16, let bytes = sqlite3_column_blob(handle, column) else {
            return FlowID(high: 0, low: 0)
        }
        return FlowID(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    /// A text; empty if the column is NULL.
    func text(_ column: Int32) -> String {
        sqlite3_column_text(handle, column).map { String(cString: $0) } ?? ""
    }

    func bytes(_ column: Int32) -> [UInt8] {
        let count = Int(sqlite3_column_bytes(handle, column))
        guard count > 0, let start = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }
}
