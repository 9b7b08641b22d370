import Foundation
import GRDB
public import Inventory
import Synchronization

/// The order store in one SQLite file, through GRDB: one writing connection, several reading ones, each on a dispatch queue
/// of its own, so that no method blocks the cooperative pool.
///
/// The file runs in WAL mode with `synchronous = FULL`: a write that returned is on the disk. A method that was started
/// is finished even if its task is cancelled, because a commit that nobody waits for would be an unknown.
/// Several processes may open one file; each write transaction is `BEGIN IMMEDIATE` and waits at most 5 s for the others.
public final class SQLiteOrderStore: OrderStore {
    /// Seconds to wait for another program's lock before giving up.
    static let busySecondsMax: TimeInterval = 5
    /// Pages in the log before a commit copies them into the file.
    static let checkpointPages = 4_000

    /// The file, as it was given.
    public let path: String
    /// Whether every writing method is refused.
    public let isReadOnly: Bool
    /// Where the tables lie.
    enum Place {
        case file(PoolInUse)
        /// Methods work on the thread that calls them.
        case memory(SQLiteMemory)
    }
    let place: Place
    /// Whose time rows carry.
    let clock: SaleClock
    private let writer: WriterBox
    /// What was opened for writing; `nil` in memory, and for reading.
    private let file: FileIdentity?
    /// Why nothing may be written any more: a failed fsync, a damaged file, one that is gone.
    private let fatal = Mutex<OrderStoreError?>(nil)
    /// The last cut folded for each bucket: ids up to a drained one never change, so the next cut starts from it.
    let cuts = Mutex<[BucketNumber: CutCache]>([:])
    private let gate = ReadingGate()
    private let readingInTurn = DispatchQueue(label: "sellout.orders.reading-in-turn")

    init(
        path: String, isReadOnly: Bool, place: Place, file: FileIdentity? = nil, writer: WriterBox = WriterBox(),
        clock: SaleClock
    ) {
        self.file = file
        self.clock = clock
        self.path = path
        self.isReadOnly = isReadOnly
        self.place = place
        self.writer = writer
    }

    // MARK: Opening

    /// Opens the store at `path`, making or upgrading it unless `readOnly`.
    ///
    /// Blocks while it does so: call it at start, not in the middle of a sale.
    ///
    /// - Parameter clock: whose time rows carry.
    /// - Throws: `OrderStoreError` (refused): not a database, another program's file, a newer version's, no such folder,
    ///   not writable, locked, or a file system on which the required settings do not hold.
    public static func open(
        path: String, readOnly: Bool = false, clock: SaleClock = .system
    ) throws -> SQLiteOrderStore {
        do {
            let exists = try checkFile(path: path, readOnly: readOnly)
            if exists { try checkOwner(path: path, readOnly: readOnly) }
            let (pool, rest) = try pool(path: path, readOnly: readOnly)
            if !readOnly {
                try pool.writeWithoutTransaction { database in
                    // GRDB sets NORMAL when it turns WAL on.
                    try requireDurability(database)
                    try database.execute(
                        sql: """
                            PRAGMA wal_autocheckpoint = \(checkpointPages);
                            PRAGMA journal_size_limit = 67108864;
                            PRAGMA application_id = \(SQLiteSchema.applicationID);
                            """)
                }
                let migrator = SQLiteSchema.migrator
                do {
                    try migrator.migrate(pool)
                } catch {
                    // Another program may have made the tables between our look and our write.
                    guard try pool.read(migrator.hasCompletedMigrations) else { throw error }
                }
            }
            return SQLiteOrderStore(
                path: path, isReadOnly: readOnly,
                place: .file(PoolInUse(pool, rest: rest) { try Self.pool(path: path, readOnly: readOnly) }),
                file: readOnly ? nil : FileIdentity(path: path), clock: clock)
        } catch {
            throw SQLiteErrors.describe(error, path: path, readOnly: readOnly).error
        }
    }

    /// Opens the file, and sees that it can be read.
    ///
    /// - Returns: what reading rests on where the file is at rest and SQLite may not make files beside it; else `nil`.
    static func pool(path: String, readOnly: Bool) throws -> (DatabasePool, FileAtRest?) {
        guard readOnly else {
            return (try DatabasePool(path: path, configuration: configuration(readOnly: false)), nil)
        }
        do { return (try readable(path), nil) } catch {
            guard mayBeAtRest(error), let rest = FileAtRest(path: path), let pool = try? pool(atRest: rest) else {
                throw error
            }
            return (pool, rest)
        }
    }

    static func pool(atRest rest: FileAtRest) throws -> DatabasePool { try readable(rest.url) }

    private static func readable(_ name: String) throws -> DatabasePool {
        let pool = try DatabasePool(path: name, configuration: configuration(readOnly: true))
        _ = try pool.read { try Int64.fetchOne($0, sql: "PRAGMA schema_version") }
        return pool
    }

    /// Whether SQLite lacked a file beside the database that it may not make.
    private static func mayBeAtRest(_ error: any Error) -> Bool {
        guard let code = (error as? DatabaseError)?.resultCode else { return false }
        return code == .SQLITE_READONLY || code == .SQLITE_CANTOPEN
    }

    /// Whether there is a file; refuses what can be told without opening it.
    private static func checkFile(path: String, readOnly: Bool) throws -> Bool {
        let name = SQLiteErrors.printable(path)
        let files = FileManager.default
        var isFolder: ObjCBool = false
        if files.fileExists(atPath: path, isDirectory: &isFolder) {
            guard !isFolder.boolValue else {
                throw OrderStoreError(.refused, "cannot open order store \(name): it is a folder; name a file in it")
            }
            return true
        }
        let folder = (path as NSString).deletingLastPathComponent
        if !folder.isEmpty {
            let exists = files.fileExists(atPath: folder, isDirectory: &isFolder)
            guard exists, isFolder.boolValue else {
                let what = exists ? "is not a folder" : "does not exist"
                throw OrderStoreError(
                    .refused,
                    "cannot make order store \(name): \(SQLiteErrors.printable(folder)) \(what); name a folder that is there"
                )
            }
        }
        guard !readOnly else {
            throw OrderStoreError(.refused, "there is no order store at \(name); name a file that a sale has written")
        }
        return false
    }

    /// Looks into a file, without writing, whether it is ours to open.
    private static func checkOwner(path: String, readOnly: Bool) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(busySecondsMax)
        func look(_ name: String) throws {
            let file = try DatabaseQueue(path: name, configuration: configuration)
            defer { try? file.close() }
            try file.read { try checkOwner($0, name: SQLiteErrors.printable(path), readOnly: readOnly) }
        }
        do { try look(path) } catch {
            guard readOnly, mayBeAtRest(error), let rest = FileAtRest(path: path) else { throw error }
            try look(rest.url)
        }
    }

    private static func checkOwner(_ database: Database, name: String, readOnly: Bool) throws {
        let application = try Int64.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let tables = try Int64.fetchOne(database, sql: "SELECT COUNT(*) FROM sqlite_master") ?? 0
        guard application == SQLiteSchema.applicationID || (application == 0 && tables == 0) else {
            throw OrderStoreError(
                .refused, "\(name) is the SQLite database of another program; name another file for the orders")
        }
        let migrator = SQLiteSchema.migrator
        if tables > 0, try migrator.hasBeenSuperseded(database) {
            throw OrderStoreError(
                .refused, "order store \(name) was written by a newer version of sellout; use that version")
        }
        if readOnly, try tables == 0 || !migrator.hasCompletedMigrations(database) {
            throw OrderStoreError(
                .refused, "order store \(name) is not set up for this version; open it once for writing")
        }
    }

    private static func configuration(readOnly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .timeout(busySecondsMax)
        configuration.maximumReaderCount = 4
        configuration.label = "sellout.orders"
        // Rows name SKUs and buckets that were checked before; a look-up a row would cost and catch nothing.
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase { database in
            try database.execute(
                sql: """
                    PRAGMA cache_size = -65536;
                    PRAGMA temp_store = MEMORY;
                    PRAGMA busy_timeout = \(Int(busySecondsMax * 1_000));
                    PRAGMA synchronous = FULL;
                    """)
            try requireFullSync(database)
        }
        return configuration
    }

    /// Sets and reads back what a durable yes rests on.
    private static func requireDurability(_ database: Database) throws {
        try database.execute(sql: "PRAGMA synchronous = FULL")
        try requireFullSync(database)
        let journal = try String.fetchOne(database, sql: "PRAGMA journal_mode")
        guard journal?.lowercased() == "wal" else {
            throw OrderStoreError(
                .refused, "the order store's file system does not let SQLite keep a write-ahead log; use a local disk")
        }
    }

    private static func requireFullSync(_ database: Database) throws {
        guard try Int64.fetchOne(database, sql: "PRAGMA synchronous") ?? 0 >= 2 else {
            throw OrderStoreError(.refused, "SQLite did not take synchronous = FULL, so no yes would be durable; stop")
        }
    }

    // MARK: Access

    /// One write transaction on the writer's queue.
    func write<T: Sendable>(
        _ body: @escaping @Sendable (Database, SQLiteWriter) throws -> T
    ) async throws -> T {
        guard !isReadOnly else {
            throw OrderStoreError(
                .refused, "order store \(SQLiteErrors.printable(path)) is open for reading only; open it for writing")
        }
        switch place {
        case .memory(let memory): return try writeHere(memory, body).get()
        case .file(let pools):
            let pool = pools.pool
            let result: Result<T, OrderStoreError> = await withCheckedContinuation { continuation in
                pool.asyncWriteWithoutTransaction { database in
                    continuation.resume(returning: self.attempt(database, body))
                }
            }
            return try result.get()
        }
    }

    // Not async: there GRDB's blocking methods would give way to its suspending ones.
    private func writeHere<T>(
        _ memory: SQLiteMemory, _ body: (Database, SQLiteWriter) throws -> T
    ) -> Result<T, OrderStoreError> {
        memory.queue.writeWithoutTransaction { attempt($0, body) }
    }

    /// Needs no snapshot: nobody writes while a method works on the only thread.
    private func readHere<T>(_ memory: SQLiteMemory, _ body: (Database) throws -> T) -> Result<T, OrderStoreError> {
        memory.queue.writeWithoutTransaction { database in Result { try body(database) }.mapError(tell) }
    }

    /// One write transaction, on the writer's queue. After a fatal error none is begun, not even one that was queued behind it.
    private func attempt<T>(
        _ database: Database, _ body: (Database, SQLiteWriter) throws -> T
    ) -> Result<T, OrderStoreError> {
        if let fatal = fatal.withLock({ $0 }) { return .failure(OrderStoreError(.refused, fatal.message)) }
        do {
            try requireFile(.refused)
            let session = try writer.session(database, clock: clock)
            let value = try session.transaction { try body(database, session) }
            // A yes must not rest on a file that nobody will find again.
            try requireFile(.unknown)
            return .success(value)
        } catch {
            if let error = error as? OrderStoreError { return .failure(error) }
            return .failure(tell(error))
        }
    }

    private func requireFile(_ outcome: OrderStoreError.Outcome) throws {
        guard let file, !file.isInPlace else { return }
        let message = """
            order store \(SQLiteErrors.printable(path)) was deleted or replaced while it was in use: nothing is written any more; \
            before this program ends, copy it back from /proc/\(getpid())/fd
            """
        fatal.withLock { $0 = $0 ?? OrderStoreError(.refused, message) }
        throw OrderStoreError(outcome, message)
    }

    /// One snapshot on a reader's queue.
    func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        switch place {
        case .memory(let memory): return try readHere(memory, body).get()
        case .file(let pools):
            return try await read(pools) { pool in
                await withCheckedContinuation { continuation in
                    pool.asyncRead { database in
                        let result = Result { try body(database.get()) }
                        continuation.resume(returning: result.mapError(self.tell))
                    }
                }
            }
        }
    }

    /// One snapshot, after whatever was asked here before, and mostly on the reader that had it. A reader of `read` is let go of
    /// behind its answer, so that the next question meets another one, with pages of its own: reading all of a large sale
    /// again and again would fill every reader's cache.
    func readInTurn<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        switch place {
        case .memory(let memory): return try readHere(memory, body).get()
        case .file(let pools):
            return try await read(pools) { pool in
                await withCheckedContinuation { continuation in
                    self.readingInTurn.async {
                        let result = Result { try pool.read(body) }
                        continuation.resume(returning: result.mapError(self.tell))
                    }
                }
            }
        }
    }

    /// Reads again what was read while a file at rest began to be written.
    private func read<T: Sendable>(
        _ pools: PoolInUse, _ once: (DatabasePool) async -> Result<T, OrderStoreError>
    ) async throws -> T {
        try enter()
        defer { gate.leave() }
        while true {
            let (pool, rest): (DatabasePool, FileAtRest?)
            do { (pool, rest) = try pools.current() } catch { throw tell(error) }
            let result = await once(pool)
            if rest?.isUnchanged ?? true { return try result.get() }
        }
    }

    private func enter() throws {
        guard gate.enter() else {
            throw OrderStoreError(.refused, "order store \(SQLiteErrors.printable(path)) is closed; open it again")
        }
    }

    /// `error` as the port tells it; a fatal one is kept.
    private func tell(_ error: any Error) -> OrderStoreError {
        let (told, isFatal) = SQLiteErrors.describe(error, path: path, readOnly: isReadOnly)
        if isFatal { fatal.withLock { $0 = $0 ?? told } }
        return told
    }

    public func close() async {
        // Memory stays, for who judges it and for the next store.
        guard case .file(let pools) = place else { return }
        await gate.shut()
        let pool = pools.pool
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            pool.asyncWriteWithoutTransaction { [writer] _ in
                writer.end()
                continuation.resume()
            }
        }
        try? pool.close()
        if !isReadOnly { try? foldLog() }
    }

    /// Copies the log into the file and takes it away, if nobody else has the file open: a copy of the file alone is whole then.
    ///
    /// SQLite does so when the last connection leaves, if that one may write. Of a pool it is a reader: the pool ends its writer
    /// first, and readers that it let go of before end whenever their queues do.
    private func foldLog() throws {
        guard FileManager.default.fileExists(atPath: "\(path)-wal") else { return }
        let last = try DatabaseQueue(path: path, configuration: Self.configuration(readOnly: false))
        _ = try last.read { try Int64.fetchOne($0, sql: "PRAGMA schema_version") }
        try last.close()
    }
}

/// The writer's prepared statements, made at the first write.
///
/// Unchecked: touched only from blocks on the writing connection's serial queue, which is also where the statements live.
final class WriterBox: @unchecked Sendable {
    private var present: SQLiteWriter?

    func session(_ database: Database, clock: SaleClock) throws -> SQLiteWriter {
        if let present {
            present.clock = clock
            return present
        }
        let made = try SQLiteWriter(database, clock: clock)
        present = made
        return made
    }

    /// Whatever it kept of one store's transactions is not the next one's.
    func forget() { present?.books = TransactionBooks() }

    func end() { present = nil }
}
