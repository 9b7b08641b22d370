import Foundation
import GRDB
import Inventory

/// Orders for people to look at: each look is bounded, however many there are.
extension SQLiteOrderStore {
    /// Rows that one look passes at most: a kind that is rare among the newest is not searched for through millions.
    static let glimpseRowsMax = 20_000

    public func glimpses(_ question: OrderQuestion, limit: Int) async throws -> [OrderGlimpse] {
        let limit = max(0, min(limit, 1_000))
        return try await read { database in
            switch question {
            case .one(let flow):
                return try Self.glimpses(
                    database, "SELECT flow, bucket, epoch, n, state, deadline FROM orders WHERE flow = ?",
                    [Data(flow.bytes)])
            case .newest(nil):
                return try Self.glimpses(
                    database,
                    "SELECT flow, bucket, epoch, n, state, deadline FROM orders ORDER BY flow DESC LIMIT ?", [limit])
            case .newest(let standing?):
                return try Self.glimpses(
                    database,
                    """
                    SELECT flow, bucket, epoch, n, state, deadline FROM
                        (SELECT * FROM orders ORDER BY flow DESC LIMIT \(Self.glimpseRowsMax))
                    WHERE state = ? ORDER BY flow DESC LIMIT ?
                    """, [standing.state.rawValue, limit])
            case .newestOf(let sku):
                return try Self.glimpses(
                    database,
                    """
                    SELECT orders.flow, orders.bucket, orders.epoch, orders.n, orders.state, orders.deadline FROM
                        (SELECT flow, sku FROM items WHERE bucket = (SELECT bucket FROM skus WHERE number = ?1)
                            ORDER BY flow DESC LIMIT \(Self.glimpseRowsMax)) AS lines
                    CROSS JOIN orders ON orders.flow = lines.flow
                    WHERE lines.sku = ?1 ORDER BY lines.flow DESC LIMIT ?2
                    """, [sku.rawValue, limit])
            }
        }
    }

    private static func glimpses(
        _ database: Database, _ sql: String, _ arguments: StatementArguments
    ) throws -> [OrderGlimpse] {
        try Row.fetchAll(database, cached: sql, arguments: arguments).compactMap { row in
            let data: Data = row[0]
            guard let flow = FlowID(bytes: data), let state = OrderState(rawValue: row[4]) else { return nil }
            let bucket = BucketNumber(rawValue: row[1])
            let order = try Self.order(database, flow, bucket)
            let lines = order.allLines
            return OrderGlimpse(
                flow: flow, bucket: bucket, id: OutboxID(epoch: Epoch(rawValue: row[2]), n: row[3]),
                standing: state.standing, lines: lines.sorted { $0.sku < $1.sku }, deadline: row[5])
        }
    }
}

extension OrderState {
    var standing: OrderStanding {
        switch self {
        case .reserved: .reserved
        case .sold: .sold
        case .cancelled: .cancelled
        case .void: .void
        case .overCapacity: .overCapacity
        case .expired: .expired
        case .partial: .partial
        }
    }
}

extension OrderStanding {
    var state: OrderState {
        switch self {
        case .reserved: .reserved
        case .sold: .sold
        case .cancelled: .cancelled
        case .void: .void
        case .overCapacity: .overCapacity
        case .expired: .expired
        case .partial: .partial
        }
    }
}
