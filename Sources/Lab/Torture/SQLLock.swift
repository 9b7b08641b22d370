import GRDB
import Host

/// Holds SQL's write lock from outside, as another program does that does not let go.
enum SQLLock {
    /// BEGIN IMMEDIATE, a while, ROLLBACK; on a thread of its own. False if the lock was not to be had.
    static func hold(path: String, for span: Duration) async -> Bool {
        await withCheckedContinuation { continuation in
            do {
                try OSThread.start(name: "sql-lock") {
                    continuation.resume(returning: holdNow(path: path, for: span))
                }
            } catch { continuation.resume(returning: false) }
        }
    }

    private static func holdNow(path: String, for span: Duration) -> Bool {
        var configuration = GRDB.Configuration()
        configuration.busyMode = .timeout(5)
        guard let file = try? DatabaseQueue(path: path, configuration: configuration) else { return false }
        defer { try? file.close() }
        do {
            try file.inDatabase { database in
                try database.execute(sql: "BEGIN IMMEDIATE")
                Pause.block(for: span)
                try database.execute(sql: "ROLLBACK")
            }
            return true
        } catch { return false }
    }
}
