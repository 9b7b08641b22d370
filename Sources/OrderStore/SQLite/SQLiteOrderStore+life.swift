import Foundation
import GRDB
public import Inventory

/// Deadlines, late payments and refunds.
extension SQLiteOrderStore {
    // MARK: Deadlines

    /// A row of `deadlines` that is due, and the reservations among its flows.
    private struct Due: Sendable {
        let number: Int64
        let open: [ExpirySweep.Expired]
    }

    public func expire(now: Int64, limit: Int) async throws -> ExpirySweep {
        let rowsMax = max(1, limit / SQLiteWriter.flowsPerDeadlineRow)
        try await noteSweep(now)
        // Looked up beside the writer: most of what is due was paid long ago, and needs no more than its row taken away.
        let due = try await read { database -> [Due] in
            let rows = try Row.fetchAll(
                database.cachedStatement(
                    sql: "SELECT number, flows FROM deadlines WHERE deadline <= ? ORDER BY deadline, number LIMIT ?"),
                arguments: [now, rowsMax])
            if rows.isEmpty { return [] }
            let find = try SQLiteStatement(
                cachedBy: database,
                "SELECT bucket, deadline FROM orders WHERE flow = ?1 AND state = 2 AND deadline <= ?2")
            return try rows.map { row in
                let flows: Data = row[1]
                var open: [ExpirySweep.Expired] = []
                for flow in Self.flows(flows) {
                    find.bind(1, flow)
                    find.bind(2, now)
                    guard try find.next() else { continue }
                    let (bucket, deadline) = (BucketNumber(rawValue: find.int32(0)), find.int64(1))
                    find.reset()
                    open.append(.init(order: try Self.order(database, flow, bucket), deadline: deadline))
                }
                return Due(number: row[0], open: open)
            }
        }
        guard !due.isEmpty else { return ExpirySweep(expired: [], isDone: true) }
        let expired = try await write { _, writer in
            try writer.openBooks()
            var expired: [ExpirySweep.Expired] = []
            for row in due {
                // Paid meanwhile: the payment came first.
                for one in row.open where try writer.expire(one.order) { expired.append(one) }
                try writer.deleteDeadlines(row.number)
            }
            try writer.closeBooks()
            return expired
        }
        return ExpirySweep(expired: expired, isDone: due.count < rowsMax)
    }

    public func endReservations(after position: FlowID?, limit: Int) async throws -> EndedReservations {
        let found = try await read { database -> [Order] in
            let state = try String.fetchOne(database.cachedStatement(sql: "SELECT state FROM sales"))
            guard state == SaleState.closed.rawValue else {
                throw OrderStoreError(.refused, "the sale is not closed: its reservations end at their deadlines")
            }
            let rows = try Row.fetchAll(
                database.cachedStatement(
                    sql: "SELECT flow, bucket FROM orders WHERE state = 2 AND flow > ? ORDER BY flow LIMIT ?"),
                arguments: [Data(position?.bytes ?? []), max(1, limit)])
            return try rows.compactMap { row in
                let flow: Data = row[0]
                return try FlowID(bytes: Array(flow)).map {
                    try Self.order(database, $0, BucketNumber(rawValue: row[1]))
                }
            }
        }
        guard !found.isEmpty else { return EndedReservations(ended: 0, next: nil) }
        let ended = try await write { _, writer in
            try writer.openBooks()
            // Paid meanwhile: the payment came first.
            let ended = try found.count { try writer.expire($0) }
            try writer.closeBooks()
            return ended
        }
        return EndedReservations(ended: ended, next: found.count < limit ? nil : found.last?.flow)
    }

    public func lastDeadline() async throws -> Int64? {
        try await read { try Int64.fetchOne($0.cachedStatement(sql: "SELECT max(deadline) FROM deadlines")) }
    }

    private func noteSweep(_ now: Int64) async throws {
        let noted = try await read { try Int64.fetchOne($0.cachedStatement(sql: "SELECT sweptAt FROM sales")) }
        if let noted, noted > now - ExpirySweep.notePeriodMilliseconds { return }
        try await write { database, _ in
            try database.execute(sql: "UPDATE sales SET sweptAt = max(coalesce(sweptAt, ?1), ?1)", arguments: [now])
        }
    }

    public func lastReservationOrSweep() async throws -> Int64? {
        try await read { database in
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT sweptAt, (SELECT deadline FROM deadlines ORDER BY number DESC LIMIT 1) - reservationTimeout
                    FROM sales
                    """)
            let (swept, made): (Int64?, Int64?) = (row?[0], row?[1])
            return [swept, made].compactMap { $0 }.max()
        }
    }

    private static func flows(_ data: Data) -> [FlowID] {
        let bytes = Array(data)
        return stride(from: 0, to: bytes.count / 16 * 16, by: 16).compactMap { FlowID(bytes: bytes[$0..<$0 + 16]) }
    }

    /// An order put together from its items; of one over several buckets, the group of `bucket`.
    static func order(_ database: Database, _ flow: FlowID, _ bucket: BucketNumber) throws -> Order {
        let groups = try database.cachedStatement(
            sql: """
                SELECT wideOrders.groups, \(buyer) FROM orders JOIN wideOrders USING (flow, digest)
                WHERE orders.flow = ?
                """)
        if let row = try Row.fetchOne(groups, arguments: [Data(flow.bytes)]),
            let order = wide(flow: Data(flow.bytes), groups: row[0], buyer: row[1])?.order(in: bucket)
        {
            return order
        }
        let buyers = try database.cachedStatement(
            sql: "SELECT buyer FROM orders JOIN buyers USING (flow, digest) WHERE orders.flow = ?")
        let buyer = try Data.fetchOne(buyers, arguments: [Data(flow.bytes)]).flatMap { BuyerID(bytes: $0) }
        let items = try database.cachedStatement(
            sql: "SELECT sku, quantity FROM items WHERE bucket = ? AND flow = ? ORDER BY sku")
        let lines = try Row.fetchAll(items, arguments: [bucket.rawValue, Data(flow.bytes)]).map {
            OrderLine(sku: SKUNumber(rawValue: $0[0]), quantity: $0[1])
        }
        return Order(trustedFlow: flow, bucket: bucket, sortedLines: lines, buyer: buyer)
    }

    // MARK: Late payments

    private static func order(_ database: Database, _ row: Row) throws -> Order {
        let lines: Data = row["lines"]
        let flow: Data = row["flow"]
        if let group = try group(database, flow: flow, bucket: row["bucket"], digest: row["digest"]) { return group }
        return Order(
            trustedFlow: FlowID(bytes: flow) ?? FlowID(high: 0, low: 0), bucket: BucketNumber(rawValue: row["bucket"]),
            sortedLines: PackedLines.unpack(Array(lines)), buyer: try Self.buyerOf(database, flow, row["digest"]))
    }

    public func settleWaitingPayments(
        overdue: Set<PaymentPosition>, after position: PaymentPosition?, limit: Int
    ) async throws -> WaitingPaymentSweep {
        let waiting = try await read { database in
            try Row.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT flow, digest, bucket, lines, epoch FROM payments
                        WHERE state = 1 AND (flow, digest) > (?, ?) ORDER BY flow, digest LIMIT ?
                        """),
                arguments: [
                    Data(position?.flow.bytes ?? []), Int64(position?.digest.rawValue ?? 0), max(1, limit),
                ]
            ).map { row in
                let order = try Self.order(database, row)
                return (
                    order: order, position: PaymentPosition(flow: order.flow, digest: order.digest),
                    epoch: Epoch(rawValue: row["epoch"])
                )
            }
        }
        guard let last = waiting.last else { return WaitingPaymentSweep(ended: [], waiting: [], next: nil) }
        let (ended, left) = try await write { _, writer in
            try writer.openBooks()
            var ended: [WaitingPaymentSweep.Ended] = []
            var left: [PaymentPosition] = []
            for one in waiting {
                let result = try writer.settleWaiting(
                    one.order, epoch: one.epoch, isOverdue: overdue.contains(one.position))
                if let result {
                    ended.append(.init(order: one.order, result: result))
                } else {
                    left.append(one.position)
                }
            }
            try writer.closeBooks()
            return (ended, left)
        }
        return WaitingPaymentSweep(
            ended: ended, waiting: left, next: waiting.count < max(1, limit) ? nil : last.position)
    }

    public func paymentsToReserveAgain(limit: Int) async throws -> [LatePayment] {
        try await read { database in
            try Row.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT flow, digest, bucket, lines, reason, again FROM payments
                        WHERE state = 2 ORDER BY flow LIMIT ?
                        """),
                arguments: [max(0, limit)]
            ).map { row in
                let again: Data? = row["again"]
                return LatePayment(
                    order: try Self.order(database, row), reason: LateReason(rawValue: row["reason"]) ?? .lost,
                    again: again.flatMap { FlowID(bytes: $0) })
            }
        }
    }

    public func linkReservation(of order: Order, again flow: FlowID) async throws -> FlowID? {
        try await write { database, _ in
            let key: StatementArguments = [Data(order.flow.bytes), Int64(order.digest.rawValue)]
            try database.execute(
                cached: "UPDATE payments SET again = ? WHERE again IS NULL AND state = 2 AND flow = ? AND digest = ?",
                arguments: [Data(flow.bytes)] + key)
            let again = try Data.fetchOne(
                database, cached: "SELECT again FROM payments WHERE state = 2 AND flow = ? AND digest = ?",
                arguments: key)
            return again.flatMap { FlowID(bytes: $0) }
        }
    }

    public func endReservingAgain(_ order: Order, reserved: Bool) async throws {
        try await write { database, writer in
            let key: StatementArguments = [Data(order.flow.bytes), Int64(order.digest.rawValue)]
            if reserved {
                try database.execute(
                    cached: "UPDATE payments SET state = 3 WHERE state = 2 AND flow = ? AND digest = ?", arguments: key)
                return
            }
            let reason = try Int64.fetchOne(
                database,
                cached: "UPDATE payments SET state = 4 WHERE state = 2 AND flow = ? AND digest = ? RETURNING reason",
                arguments: key)
            guard let reason else { return }
            try writer.openBooks()
            try writer.refund(order, LateReason(rawValue: reason) ?? .lost, isPaid: true)
            try writer.closeBooks()
        }
    }

    // MARK: Refunds

    public func refunds(limit: Int) async throws -> [Refund] {
        try await read { database in
            try Row.fetchAll(
                database,
                cached: """
                    SELECT number, flow, digest, units, reason, paid, at, settledAt FROM refunds
                    ORDER BY number DESC LIMIT ?
                    """, arguments: [max(0, limit)]
            ).map { row in
                let flow: Data = row[1]
                let digest: Int64 = row[2]
                return Refund(
                    number: row[0], flow: FlowID(bytes: flow) ?? FlowID(high: 0, low: 0),
                    digest: OrderDigest(rawValue: UInt64(bitPattern: digest)), units: row[3],
                    reason: LateReason(rawValue: row[4]) ?? .lost, isPaid: row[5], atMilliseconds: row[6],
                    settledAtMilliseconds: row[7])
            }
        }
    }

    public func settleRefund(_ number: Int64) async throws -> Bool {
        try await write { database, writer in
            try database.execute(
                cached: "UPDATE refunds SET settledAt = ? WHERE number = ? AND settledAt IS NULL",
                arguments: [writer.now(), number])
            return database.changesCount == 1
        }
    }

    public func paymentTotals() async throws -> PaymentTotals {
        try await read { database in
            var totals = PaymentTotals()
            for row in try Row.fetchAll(database, cached: "SELECT state, COUNT(*) FROM payments GROUP BY state") {
                switch PaymentState(rawValue: row[0]) {
                case .waiting: totals.waiting = row[1]
                case .reservingAgain: totals.reservingAgain = row[1]
                case .reservedAgain: totals.reservedAgain = row[1]
                case .refunded, nil: break
                }
            }
            let refunds = try Row.fetchOne(
                database, cached: "SELECT COUNT(*), COUNT(settledAt), TOTAL(units) FROM refunds")
            if let refunds {
                let (all, settled): (Int64, Int64) = (refunds[0], refunds[1])
                let units: Double = refunds[2]
                totals.refundsPending = all - settled
                totals.refundsSettled = settled
                totals.refundUnits = Int64(units)
            }
            return totals
        }
    }
}
