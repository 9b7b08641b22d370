import GRDB
public import Inventory

/// Movements of what is allocated.
extension SQLiteOrderStore {
    public func restock(_ sku: SKUNumber, units: Int64) async throws -> Restock {
        try await write { database, _ in
            let row = try Row.fetchOne(
                database,
                cached: """
                    SELECT bucket, allocated, version, sold + reserved,
                        (SELECT COALESCE(SUM(units), 0) FROM restocks WHERE restocks.bucket = counters.bucket
                            AND restocks.sku = counters.sku AND epoch IS NULL AND units < 0)
                    FROM counters WHERE sku = ?
                    """, arguments: [sku.rawValue])
            guard let row else { throw Self.unknown(sku) }
            let bucket: Int32 = row[0]
            let allocated: Int64 = row[1]
            let version: Int64 = row[2]
            let (held, leaving): (Int64, Int64) = (row[3], row[4])
            guard units != 0, units <= Self.unitsMax - allocated, units >= -Self.unitsMax else {
                throw OrderStoreError(
                    .refused,
                    "cannot restock SKU number \(sku.rawValue) by \(units) units: "
                        + "it has \(allocated), at most \(Self.unitsMax) fit; give 1 or more")
            }
            let left = allocated - held + leaving
            guard units > 0 || left + units >= 0 else {
                throw OrderStoreError(
                    .refused,
                    "\(Self.unitsLeft(left)), fewer than the \(-units) to take back; nothing was changed")
            }
            try database.execute(
                cached: "UPDATE counters SET allocated = allocated + ?, version = version + 1 WHERE sku = ?",
                arguments: [max(0, units), sku.rawValue])
            try database.execute(
                cached: "INSERT INTO restocks VALUES (?, ?, ?, ?, NULL, NULL)",
                arguments: [bucket, sku.rawValue, version, units])
            return Restock(sku: sku, fromVersion: version, units: units)
        }
    }

    private static func unitsLeft(_ units: Int64) -> String {
        units == 1 ? "1 unit is left" : "\(max(0, units)) units are left"
    }

    public func outcome(of restock: Restock) async throws -> RestockOutcome {
        try await read { database in
            let row = try Row.fetchOne(
                database,
                cached: """
                    SELECT units, epoch IS NOT NULL FROM restocks
                    WHERE bucket = (SELECT bucket FROM counters WHERE sku = ?1) AND sku = ?1 AND fromVersion = ?2
                    """, arguments: [restock.sku.rawValue, restock.fromVersion])
            guard let row else {
                throw OrderStoreError(
                    .refused,
                    "SKU number \(restock.sku.rawValue) has no restock from version \(restock.fromVersion)")
            }
            guard row[1] as Bool else { return .pending }
            return (row[0] as Int64) == 0 ? .refused : .applied
        }
    }

    /// Within a fold: decides what is still to be taken back of a bucket's SKUs, in the order of the versions. What a later version adds
    /// is not there yet for an earlier one, as in Redis.
    static func takeBack(_ database: Database, in bucket: BucketNumber, dead: [SKUNumber: Int64]) throws {
        let pending = try Row.fetchAll(
            database,
            cached: """
                SELECT restocks.sku, fromVersion, units, allocated - sold - reserved FROM restocks
                CROSS JOIN counters ON counters.sku = restocks.sku
                WHERE restocks.bucket = ? AND epoch IS NULL ORDER BY restocks.sku, fromVersion
                """, arguments: [bucket.rawValue])
        for movements in Dictionary(grouping: pending, by: { $0[0] as Int32 }).values {
            let sku: Int32 = movements[0][0]
            let added = movements.reduce(Int64(0)) { $0 + max(0, $1[2] as Int64) }
            var left = (movements[0][3] as Int64) - added - max(0, dead[SKUNumber(rawValue: sku)] ?? 0)
            for movement in movements {
                let (version, units): (Int64, Int64) = (movement[1], movement[2])
                if units > 0 {
                    left += units
                } else if left + units >= 0 {
                    left += units
                    try database.execute(
                        cached: "UPDATE counters SET allocated = allocated + ? WHERE sku = ?", arguments: [units, sku])
                } else {
                    try database.execute(
                        cached: "UPDATE restocks SET units = 0 WHERE bucket = ? AND sku = ? AND fromVersion = ?",
                        arguments: [bucket.rawValue, sku, version])
                }
            }
        }
    }
}
