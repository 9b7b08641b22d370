import Foundation
import GRDB
public import Inventory

/// Orders over several buckets, as the port shows them.
extension SQLiteOrderStore {
    public func undo(
        _ orders: [WideOrder], forbidden: [BucketNumber: Epoch]
    ) async throws -> [UndoResult] {
        if orders.isEmpty { return [] }
        return try await write { _, writer in
            try writer.openBooks()
            let results = try orders.map { try writer.undo($0, forbidden: forbidden) }
            try writer.closeBooks()
            return results
        }
    }

    public func halfDone(limit: Int) async throws -> [HalfDoneOrder] {
        try await read { database in
            try Row.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT flow, groups, since, \(Self.buyer) FROM wideOrders INDEXED BY halfDoneOrders
                        WHERE since IS NOT NULL ORDER BY since LIMIT ?
                        """), arguments: [max(0, limit)]
            ).compactMap { row in
                guard let wide = Self.wide(flow: row[0], groups: row[1], buyer: row[3]) else { return nil }
                var arrived: Set<BucketNumber> = []
                for group in wide.groups {
                    let flow: Data = row[0]
                    let isThere = try Bool.fetchOne(
                        database, cached: "SELECT EXISTS (SELECT 1 FROM parts WHERE bucket = ? AND flow = ?)",
                        arguments: [group.bucket.rawValue, flow])
                    if isThere == true { arrived.insert(group.bucket) }
                }
                return HalfDoneOrder(order: wide, arrived: arrived, sinceMilliseconds: row[2])
            }
        }
    }

    public func endGiveBacks(_ ends: [GiveBackEnd]) async throws -> [GiveBackEnd] {
        if ends.isEmpty { return [] }
        return try await write { database, writer in
            var drained: [BucketNumber: OutboxID] = [:]
            var early: [GiveBackEnd] = []
            for end in ends {
                let bucket = end.order.bucket
                if drained[bucket] == nil { drained[bucket] = try Self.fetchBucket(database, bucket)?.drainedThrough }
                guard let position = drained[bucket], position.epoch <= end.id.epoch else { continue }
                if position >= end.id { try writer.end(end.order, at: end.id, .told) } else { early.append(end) }
            }
            return early
        }
    }

    /// The group of a wide order that a give-back's key names; `nil` if it names none.
    static func group(_ database: Database, flow: Data, bucket: Int32, key: Int64) throws -> Order? {
        guard key >> 36 != 0 else { return nil }
        return try group(database, flow: flow, bucket: bucket, digest: key & (1 << 36 - 1))
    }

    /// The group of a wide order in `bucket`; `nil` if flow and digest are none's.
    static func group(_ database: Database, flow: Data, bucket: Int32, digest: Int64) throws -> Order? {
        let row = try Row.fetchOne(
            database, cached: "SELECT groups, \(buyer) FROM wideOrders WHERE flow = ? AND digest = ?",
            arguments: [flow, digest])
        return row.flatMap {
            wide(flow: flow, groups: $0[0], buyer: $0[1])?.order(in: BucketNumber(rawValue: bucket))
        }
    }

    /// Of a row of `wideOrders`.
    static let buyer = """
        (SELECT buyer FROM buyers WHERE buyers.flow = wideOrders.flow AND buyers.digest = wideOrders.digest)
        """

    static func wide(flow: Data, groups: Data, buyer: Data?) -> WideOrder? {
        var position = 0
        guard let flow = FlowID(bytes: flow) else { return nil }
        return WideOrder.read(
            flow: flow, Array(groups), at: &position, buyer: buyer.flatMap { BuyerID(bytes: $0) })
    }
}
