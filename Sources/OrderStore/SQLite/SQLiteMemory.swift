public import GRDB
public import Inventory

/// A SQLite database in memory, in which order stores of one thread stand one after the other: for a program that runs many
/// short sales, each from its first order to its last.
///
/// The tables, the statements and the decisions are those of a file. What is not there is what a file has for a power cut, for
/// other programs and for several threads: no log, no fsync, no second connection. One thread at a time.
public final class SQLiteMemory: Sendable {
    let queue: DatabaseQueue
    let writer = WriterBox()
    /// Empties all tables but for the rows with which they are made.
    private let wipe: [String]

    /// Makes the tables.
    public init() throws {
        var configuration = Configuration()
        configuration.label = "sellout.memory"
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF")
        }
        queue = try DatabaseQueue(configuration: configuration)
        try SQLiteSchema.migrator.migrate(queue)
        wipe = try queue.writeWithoutTransaction { database in
            let tables = try String.fetchAll(
                database,
                sql: """
                    SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'grdb%'
                    ORDER BY name
                    """)
            return try tables.flatMap { table in
                let delete = "DELETE FROM main.\(table)"
                guard try Int64.fetchOne(database, sql: "SELECT COUNT(*) FROM \(table)") ?? 0 > 0 else {
                    return [delete]
                }
                try database.execute(sql: "CREATE TEMP TABLE first_\(table) AS SELECT * FROM main.\(table)")
                return [delete, "INSERT INTO main.\(table) SELECT * FROM first_\(table)"]
            }
        }
    }

    deinit {
        // Statements go before their connection.
        queue.writeWithoutTransaction { [writer] _ in writer.end() }
    }

    /// A store without a sale, in the place of the one before, which must not be used any more.
    ///
    /// - Parameter clock: whose time rows carry.
    public func makeStore(clock: SaleClock) throws -> SQLiteOrderStore {
        try queue.writeWithoutTransaction { database in
            try database.inTransaction {
                for statement in wipe { try database.execute(cached: statement) }
                return .commit
            }
        }
        writer.forget()
        return SQLiteOrderStore(
            path: ":memory:", isReadOnly: false, place: .memory(self), writer: writer, clock: clock)
    }

    /// Looks at the tables as they are, for who judges them without the store's code.
    public func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        // Not GRDB's `read`: it turns `query_only` on and off, after which SQLite parses every statement anew.
        try queue.writeWithoutTransaction(body)
    }
}
