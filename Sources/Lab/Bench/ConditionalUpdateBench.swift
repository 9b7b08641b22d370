import Foundation
import GRDB
import Host

/// What a database alone does: stock taken by one conditional UPDATE, the order inserted in the same transaction, nobody else
/// beside it. Every order is a commit that reaches the disk, as every yes of `durable` is.
struct ConditionalUpdateBench {
    let bed: BenchBed

    func measure(seconds: Double) async throws -> BenchMeasurement {
        let path = try await bed.newFile()
        let result: Result<BenchMeasurement, any Error> = try await withCheckedThrowingContinuation { continuation in
            do throws(HostError) {
                // It waits for the disk all the time.
                try OSThread.start(name: "bench-sqlite") {
                    continuation.resume(returning: Result { try Self.sell(path: path, seconds: seconds) })
                }
            } catch {
                continuation.resume(throwing: BenchError(error.message))
            }
        }
        await bed.removeFile(path)
        return try result.get()
    }

    private static func sell(path: String, seconds: Double) throws -> BenchMeasurement {
        let database = try DatabaseQueue(path: path)
        return try database.inDatabase { database in
            try database.execute(
                sql: """
                    PRAGMA journal_mode = WAL;
                    PRAGMA synchronous = FULL;
                    CREATE TABLE stock(sku INTEGER PRIMARY KEY, units INTEGER NOT NULL CHECK (units >= 0)) STRICT;
                    CREATE TABLE orders(id INTEGER PRIMARY KEY, sku INTEGER NOT NULL, quantity INTEGER NOT NULL) STRICT;
                    INSERT INTO stock VALUES (1, 1000000000);
                    """)
            let take = try database.makeStatement(
                sql: "UPDATE stock SET units = units - ?2 WHERE sku = ?1 AND units >= ?2")
            let insert = try database.makeStatement(sql: "INSERT INTO orders (sku, quantity) VALUES (?1, ?2)")
            let clock = ContinuousClock()
            let start = clock.now
            let end = start + .seconds(seconds)
            var waits: [Double] = []
            var now = start
            while now < end {
                try database.inTransaction(.immediate) {
                    try take.execute(arguments: [1, 1])
                    try insert.execute(arguments: [1, 1])
                    return .commit
                }
                let done = clock.now
                waits.append(now.duration(to: done).inSeconds * 1_000)
                now = done
            }
            let count = Double(waits.count)
            waits.sort()
            return BenchMeasurement(
                perSecond: count / start.duration(to: now).inSeconds, p50Milliseconds: waits[waits.count / 2],
                p99Milliseconds: waits[min(waits.count - 1, waits.count * 99 / 100)], serverMicroseconds: nil)
        }
    }
}
