import GRDB
import Inventory

/// Statements about buyers and about flows below the watermark.
final class LimitStatements {
    fileprivate let insertBuyer: SQLiteStatement
    fileprivate let findHeld: SQLiteStatement
    fileprivate let addHeld: SQLiteStatement
    fileprivate let insertPassed: SQLiteStatement
    fileprivate let anyBuyer: SQLiteStatement
    private let ledgers: [SQLiteStatement]

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> SQLiteStatement { try SQLiteStatement(database, sql) }
        insertBuyer = try prepare("INSERT OR IGNORE INTO buyers VALUES (?1, ?2, ?3)")
        findHeld = try prepare("SELECT units FROM held WHERE sku = ?1 AND buyer = ?2")
        addHeld = try prepare(
            "INSERT INTO held VALUES (?1, ?2, ?3) ON CONFLICT (sku, buyer) DO UPDATE SET units = units + ?3")
        insertPassed = try prepare("INSERT OR IGNORE INTO passed VALUES (?1, ?2)")
        anyBuyer = try prepare("SELECT 1 FROM buyers LIMIT 1")
        let buyer = """
            (SELECT buyer FROM buyers WHERE buyers.flow = items.flow
                AND buyers.digest = (SELECT digest FROM orders WHERE orders.flow = items.flow))
            """
        ledgers = try ["NULL", buyer].flatMap { buyer in
            let columns = "items.flow, items.sku, items.quantity, items.kind, items.n, \(buyer)"
            return [
                try prepare(
                    """
                    SELECT \(columns) FROM passed CROSS JOIN items ON items.bucket = passed.bucket AND items.flow = passed.flow
                    WHERE passed.bucket = ?1 AND passed.flow < ?2 ORDER BY items.flow, items.sku
                    """),
                try prepare(
                    "SELECT \(columns) FROM items WHERE bucket = ?1 AND flow >= ?2 ORDER BY flow, sku"),
            ]
        }
    }

    /// A bucket's items below the watermark that Redis still needs, then those from it on: flow, SKU, quantity, kind, n, buyer.
    func ledger(withBuyers: Bool) -> ArraySlice<SQLiteStatement> { withBuyers ? ledgers[2...3] : ledgers[0...1] }
}

/// Who holds how much of what is limited, and which flows lie below the watermark.
extension SQLiteWriter {
    /// Whether `line` would give a buyer more than the limit. A limited SKU is not sold to nobody.
    func exceeds(_ limit: Int64, _ buyer: BuyerID?, _ line: OrderLine) throws -> Bool {
        guard let buyer else { return true }
        limits.findHeld.bind(1, line.sku.rawValue)
        limits.findHeld.bind(copying: buyer.bytes, at: 2)
        let held = try limits.findHeld.next() ? limits.findHeld.int64(0) : 0
        limits.findHeld.reset()
        return held + Int64(line.quantity) > limit
    }

    /// Moves what an order's buyer holds of limited SKUs.
    func hold(_ order: Order, _ sign: Int64) throws {
        guard let buyer = order.buyer else { return }
        for line in order.lines {
            guard let place = try place(of: line.sku), books.skus[place].limitPerBuyer > 0 else { continue }
            limits.addHeld.bind(1, line.sku.rawValue)
            limits.addHeld.bind(copying: buyer.bytes, at: 2)
            limits.addHeld.bind(3, sign * Int64(line.quantity))
            try limits.addHeld.run()
        }
    }

    func noteBuyer(_ order: Order) throws {
        guard let buyer = order.buyer else { return }
        limits.insertBuyer.bind(1, order.flow)
        limits.insertBuyer.bind(2, Int64(order.digest.rawValue))
        limits.insertBuyer.bind(copying: buyer.bytes, at: 3)
        try limits.insertBuyer.run()
    }

    func notePassed(_ order: Order) throws {
        // SQL may hear of an order after the watermark has passed it: it is archived like any other.
        if let place = try place(of: order.bucket), let watermark = books.buckets[place].watermark,
            order.flow < watermark
        {
            limits.insertPassed.bind(1, order.bucket.rawValue)
            limits.insertPassed.bind(2, order.flow)
            try limits.insertPassed.run()
        }
    }

    func hasBuyers() throws -> Bool {
        guard try limits.anyBuyer.next() else { return false }
        limits.anyBuyer.reset()
        return true
    }
}
