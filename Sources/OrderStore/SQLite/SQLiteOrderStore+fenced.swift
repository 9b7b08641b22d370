import GRDB
public import Inventory

/// Selling from SQL alone while a bucket is fenced.
extension SQLiteOrderStore {
    public func sellFenced(
        _ orders: [Order], closing: [BucketNumber: Epoch], by claimant: String
    ) async throws -> [FencedSaleResult] {
        try await write { database, writer in
            let sale = try Self.requireSale(database)
            guard sale.durability == .durable, case .sellInSQL = sale.whileFenced else {
                return orders.map { _ in .refused(.fenced) }
            }
            guard sale.state == .open else { return orders.map { _ in .refused(.halted) } }
            for bucket in Set(orders.map(\.bucket)) {
                guard let epoch = closing[bucket] else { continue }
                let record = try Self.requireBucket(database, bucket)
                guard record.state == .open, record.epoch == epoch else { continue }
                _ = try self.takeEpoch(database, bucket: bucket, above: epoch, by: claimant)
            }
            return try writer.sellFenced(orders)
        }
    }
}

extension SQLiteWriter {
    /// Takes what fits, order by order. Runs within `transaction`.
    func sellFenced(_ orders: [Order]) throws -> [FencedSaleResult] {
        try openBooks()
        let results = try orders.map(sellFenced)
        try closeBooks()
        return results
    }

    private func sellFenced(_ order: Order) throws -> FencedSaleResult {
        guard let place = try place(of: order.bucket), try flaw(of: order, in: order.bucket) == nil else {
            return .refused(.notLoaded)
        }
        guard order.wide == nil else { return .refused(.fenced) }
        let bucket = books.buckets[place]
        // Once folded, Redis is being rebuilt from what was read: nothing may be added behind its back.
        guard bucket.state == .recovering, !bucket.isFolded else { return .refused(.fenced) }
        let id = OutboxID(epoch: bucket.epoch, n: 0)
        switch try known(order) {
        case .same(.reserved), .same(.sold): return .reserved(duplicate: true)
        case .same: return .refused(.cancelled)
        case .another: return .refused(.conflict)
        case .absent: break
        }
        if let watermark = bucket.watermark, order.flow < watermark { return .refused(.tooOld) }
        for line in order.lines {
            if try isFrozen(line.sku) { return .refused(.frozen) }
            let sku = books.skus[try self.place(of: line.sku)!]
            if sku.sold + sku.reserved + Int64(line.quantity) > sku.allocated { return .refused(.soldOut) }
            if sku.limitPerBuyer > 0, try exceeds(sku.limitPerBuyer, order.buyer, line) { return .refused(.limit) }
        }
        guard try insert(order, state: .reserved, id: id) else { return .refused(.conflict) }
        return .reserved(duplicate: false)
    }

    private func isFrozen(_ sku: SKUNumber) throws -> Bool {
        findFrozen.bind(1, sku.rawValue)
        guard try findFrozen.next() else { return false }
        defer { findFrozen.reset() }
        return findFrozen.int64(0) != 0
    }
}
