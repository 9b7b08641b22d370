import GRDB
import Inventory

/// Orders over several buckets: one row under their first bucket, items under each group's own.
///
/// Groups are met one by one, in any order, by whoever settles the entry that took them; until the last has come the row is
/// `partial`. Each group's units count as `reserved` from the moment that SQL meets it, because Redis has taken them: so
/// allocated − sold − reserved is the stock of every bucket at any time. An order that is undone gets items for every group,
/// also for those that nobody has met: a rebuilt bucket then forbids them.
extension SQLiteWriter {
    // MARK: Taking

    /// Takes one group, or finds what became of its order before.
    func settleGroup(
        _ order: Order, of wide: WideOrder, id: OutboxID, policy: CapacityPolicy
    ) throws -> OrderSettlement {
        var standing = try known(wide.orders[0])
        if case .absent = standing {
            try insert(wide, state: .partial, id: id)
            try wideStatements.setSince(wide, books.now)
            standing = .same(.partial)
        }
        switch standing {
        case .absent, .another:
            try wideStatements.note(wide)
            try noteBuyer(order)
            try want(order, after: id)
            return .conflict
        case .same(.partial):
            guard try kind(of: order) == nil else {
                books.wasTakenBefore = try wideStatements.partID(order) != id
                return .partial
            }
            return try arrive(order, of: wide, id: id, policy: policy)
        case .same(.reserved), .same(.sold):
            books.wasTakenBefore = try wideStatements.partID(order) != id
            return .committed
        case .same(.overCapacity):
            if policy == .void {
                try want(order, after: id)
            } else if try kind(of: order) == nil {
                try put(order, try fits(order) ? .taken : .overCapacity, id: id)
                if try makeWhole(order, of: wide, from: .overCapacity) { return .committed }
            }
            return .overCapacity
        case .same(let ended):
            try want(order, after: id)
            return ended == .void ? .overCapacity : .cancelled
        }
    }

    /// A group that SQL meets for the first time.
    private func arrive(
        _ order: Order, of wide: WideOrder, id: OutboxID, policy: CapacityPolicy
    ) throws -> OrderSettlement {
        if try fits(order) {
            try put(order, .taken, id: id)
            return try makeWhole(order, of: wide, from: .partial) ? .committed : .partial
        }
        switch policy {
        case .void:
            try want(order, after: id)
            try put(order, .cancelled, id: id)
            _ = try change(wide, from: .partial, to: .void)
        case .overCapacity:
            try put(order, .overCapacity, id: id)
            _ = try change(wide, from: .partial, to: .overCapacity)
        }
        return .overCapacity
    }

    /// Makes a reservation of an order all of whose groups are taken; one that was paid for is sold. False if some are not.
    private func makeWhole(_ order: Order, of wide: WideOrder, from old: OrderState) throws -> Bool {
        guard try wide.orders.allSatisfy({ try kind(of: $0) == .taken }) else { return false }
        _ = try change(wide, from: old, to: .reserved)
        if let deadline = books.deadline {
            life.setDeadline.bind(1, wide.flow)
            life.setDeadline.bind(2, deadline)
            try life.setDeadline.run()
            books.due.append(wide.flow)
        }
        if books.hasWaitingPayments { try confirmIfPaid(order) }
        return true
    }

    /// Takes in a group beyond capacity for which there is room now; the order is a reservation once none is left. False if the group
    /// is none.
    func takeIn(_ order: Order, of wide: WideOrder) throws -> Bool {
        guard case .same(.overCapacity) = try known(order), try kind(of: order) == .overCapacity else { return false }
        for line in order.lines {
            try count(line, .overCapacity, in: .overCapacity, -1)
            try count(line, .taken, in: .overCapacity, 1)
            try wideStatements.setKind(order, line, .taken)
        }
        try hold(order, 1)
        _ = try makeWhole(order, of: wide, from: .overCapacity)
        return true
    }

    private func fits(_ order: Order) throws -> Bool {
        for line in order.lines {
            guard let place = try place(of: line.sku) else { return false }
            let sku = books.skus[place]
            if sku.sold + sku.reserved + Int64(line.quantity) > sku.allocated { return false }
            if sku.limitPerBuyer > 0, try exceeds(sku.limitPerBuyer, order.buyer, line) { return false }
        }
        return true
    }

    // MARK: Ending

    /// Cancels the whole order, or forbids its flow in every bucket.
    func cancel(_ wide: WideOrder) throws -> CancelResult {
        switch try known(wide.orders[0]) {
        case .another: return .conflict
        case .same(.sold): return .sold
        case .absent:
            try forbid(wide)
            return .cancelled
        case .same(let state) where state == .reserved || state == .partial || state == .overCapacity:
            _ = try change(wide, from: state, to: .cancelled)
            return .cancelled
        case .same: return .alreadyCancelled
        }
    }

    /// Cancels an order that is not whole, by compare and set: one that is stays.
    ///
    /// - Parameter forbidden: the epochs under which buckets said that they keep the flow out. A bucket that was rebuilt since may
    ///   have taken it: nobody knows of a tombstone before the order is undone.
    func undo(_ wide: WideOrder, forbidden: [BucketNumber: Epoch]) throws -> UndoResult {
        for order in wide.orders {
            guard let epoch = forbidden[order.bucket] else { continue }
            guard let place = try place(of: order.bucket), books.buckets[place].epoch == epoch else { return .moved }
        }
        switch try known(wide.orders[0]) {
        case .another:
            // The groups that Redis took are nobody's: each is given back when its entry is settled.
            return .conflict
        case .absent:
            try forbid(wide)
            return .undone
        case .same(.partial):
            _ = try change(wide, from: .partial, to: .cancelled)
            return .undone
        case .same(.overCapacity) where try wide.orders.contains { try kind(of: $0) == nil }:
            // Some group has room, some has none, and one never came: it could not even be taken in.
            _ = try change(wide, from: .overCapacity, to: .cancelled)
            return .undone
        case .same(let state) where state == .reserved || state == .sold || state == .overCapacity: return .stands
        case .same: return .undone
        }
    }

    private func forbid(_ wide: WideOrder) throws {
        for order in wide.orders {
            if let flaw = try flaw(of: order, in: order.bucket) {
                throw OrderStoreError(.refused, "cannot cancel flow \(order.flow): it is \(flaw); check the SKUs")
            }
        }
        try insert(wide, state: .cancelled, id: OutboxID(epoch: .none, n: 0))
        for order in wide.orders { try forbid(order) }
    }

    /// Items of a group that nobody has met. If Redis was told to forbid it already there is nothing more to ask; should it be
    /// taken after all, by a server that forgot that, then the entry that took it asks again.
    private func forbid(_ order: Order) throws {
        try put(order, .cancelled, id: nil)
        try want(order, after: OutboxID(epoch: .none, n: 0))
    }

    // MARK: Rows

    private func insert(_ wide: WideOrder, state: OrderState, id: OutboxID) throws {
        insertOrder.bind(1, wide.flow)
        insertOrder.bind(2, wide.home.rawValue)
        insertOrder.bind(3, id.epoch.rawValue)
        insertOrder.bind(4, id.n)
        insertOrder.bind(5, state.rawValue)
        insertOrder.bind(6, Int64(wide.digest.rawValue))
        insertOrder.bind(7, books.now)
        insertOrder.bindNull(8)
        try insertOrder.run()
        try wideStatements.note(wide)
        try noteBuyer(wide.orders[0])
        books.gained[Int(state.rawValue)] += 1
    }

    /// Moves an order from one state to another, if it is in that one, and with it what SQL has of its groups. Ended, what Redis
    /// holds is asked back, and what nobody has met is forbidden. Beyond capacity its groups stay what they are.
    func change(_ wide: WideOrder, from old: OrderState, to new: OrderState) throws -> Bool {
        changeOrder.bind(1, wide.flow)
        changeOrder.bind(2, wide.home.rawValue)
        changeOrder.bind(3, Int64(wide.digest.rawValue))
        changeOrder.bind(4, new.rawValue)
        changeOrder.bind(5, old.rawValue)
        guard try changeOrder.run() == 1 else { return false }
        if old == .partial { try wideStatements.setSince(wide, nil) }
        books.gained[Int(old.rawValue)] -= 1
        books.gained[Int(new.rawValue)] += 1
        guard new.kind != .overCapacity else { return true }
        for order in wide.orders {
            guard let kind = try kind(of: order) else {
                if new.kind == .cancelled { try forbid(order) }
                continue
            }
            guard kind != .cancelled else { continue }
            if kind == .taken, new.kind != .taken { try hold(order, -1) }
            if kind != .taken, new.kind == .taken { try hold(order, 1) }
            for line in order.lines {
                try count(line, kind, in: old, -1)
                try count(line, new.kind, in: new, 1)
                if kind != new.kind { try wideStatements.setKind(order, line, new.kind) }
            }
            if new.kind == .cancelled { try want(order, after: nil) }
        }
        return true
    }

    /// What SQL has of a group; `nil`: nobody has met it. All its lines are of one kind.
    private func kind(of order: Order) throws -> ItemKind? {
        try wideStatements.kind(of: order, order.lines[0])
    }

    /// Writes a group's items and counts them. `id`: the entry that took it; `nil`: it was forbidden before anybody met it.
    private func put(_ order: Order, _ kind: ItemKind, id: OutboxID?) throws {
        for line in order.lines {
            insertItem.bind(1, order.bucket.rawValue)
            insertItem.bind(2, order.flow)
            insertItem.bind(3, line.sku.rawValue)
            insertItem.bind(4, line.quantity)
            insertItem.bind(5, kind.rawValue)
            insertItem.bind(6, id?.n ?? 0)
            try insertItem.run()
            try count(line, kind, in: .partial, 1)
        }
        if kind == .taken { try hold(order, 1) }
        try wideStatements.addPart(order, id: id)
        try notePassed(order)
    }

    private func count(_ line: OrderLine, _ kind: ItemKind, in state: OrderState, _ sign: Int64) throws {
        guard kind != .cancelled, let place = try place(of: line.sku) else { return }
        let units = sign * Int64(line.quantity)
        switch (kind, state) {
        case (.overCapacity, _): books.skus[place].overCapacity += units
        case (_, .sold): books.skus[place].sold += units
        default: books.skus[place].reserved += units
        }
        books.skus[place].isChanged = true
    }

    /// The key of a give-back: a group of a wide order shares flow and digest with the others, so its bucket stands above the 36
    /// bits of the digest.
    static func giveBackKey(_ order: Order) -> Int64 {
        Int64(order.digest.rawValue) | (order.wide == nil ? 0 : Int64(order.bucket.rawValue) << 36)
    }
}

/// The statements on wide orders only.
final class WideStatements {
    private let noteWide: SQLiteStatement
    private let setSince: SQLiteStatement
    private let insertPart: SQLiteStatement
    private let findPart: SQLiteStatement
    private let findKind: SQLiteStatement
    private let changeKind: SQLiteStatement
    let partsOfBucket: SQLiteStatement

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> SQLiteStatement { try SQLiteStatement(database, sql) }
        noteWide = try prepare("INSERT OR IGNORE INTO wideOrders VALUES (?1, ?2, ?3, NULL)")
        setSince = try prepare("UPDATE wideOrders SET since = ?3 WHERE flow = ?1 AND digest = ?2")
        insertPart = try prepare("INSERT INTO parts VALUES (?1, ?2, ?3, ?4, ?5)")
        findPart = try prepare("SELECT epoch, n FROM parts WHERE bucket = ?1 AND flow = ?2")
        findKind = try prepare("SELECT kind FROM items WHERE bucket = ?1 AND flow = ?2 AND sku = ?3")
        changeKind = try prepare("UPDATE items SET kind = ?4 WHERE bucket = ?1 AND flow = ?2 AND sku = ?3")
        partsOfBucket = try prepare("SELECT flow, digest FROM parts WHERE bucket = ?1")
    }

    /// Keeps what the order's groups are.
    func note(_ wide: WideOrder) throws {
        var groups: [UInt8] = []
        wide.appendGroups(to: &groups)
        noteWide.bind(1, wide.flow)
        noteWide.bind(2, Int64(wide.digest.rawValue))
        noteWide.bind(copying: groups, at: 3)
        try noteWide.run()
    }

    /// Since when an order is partial, in Unix milliseconds; `nil`: it is no longer.
    func setSince(_ wide: WideOrder, _ milliseconds: Int64?) throws {
        setSince.bind(1, wide.flow)
        setSince.bind(2, Int64(wide.digest.rawValue))
        if let milliseconds { setSince.bind(3, milliseconds) } else { setSince.bindNull(3) }
        try setSince.run()
    }

    func addPart(_ order: Order, id: OutboxID?) throws {
        insertPart.bind(1, order.bucket.rawValue)
        insertPart.bind(2, order.flow)
        insertPart.bind(3, Int64(order.digest.rawValue))
        if let id {
            insertPart.bind(4, id.epoch.rawValue)
            insertPart.bind(5, id.n)
        } else {
            insertPart.bindNull(4)
            insertPart.bindNull(5)
        }
        try insertPart.run()
    }

    /// The entry that took a group; `nil`: none did.
    func partID(_ order: Order) throws -> OutboxID? {
        findPart.bind(1, order.bucket.rawValue)
        findPart.bind(2, order.flow)
        guard try findPart.next() else { return nil }
        defer { findPart.reset() }
        return findPart.isNull(0)
            ? nil : OutboxID(epoch: Epoch(rawValue: findPart.int64(0)), n: findPart.int64(1))
    }

    func kind(of order: Order, _ line: OrderLine) throws -> ItemKind? {
        findKind.bind(1, order.bucket.rawValue)
        findKind.bind(2, order.flow)
        findKind.bind(3, line.sku.rawValue)
        guard try findKind.next() else { return nil }
        defer { findKind.reset() }
        return ItemKind(rawValue: findKind.int32(0))
    }

    func setKind(_ order: Order, _ line: OrderLine, _ kind: ItemKind) throws {
        changeKind.bind(1, order.bucket.rawValue)
        changeKind.bind(2, order.flow)
        changeKind.bind(3, line.sku.rawValue)
        changeKind.bind(4, kind.rawValue)
        try changeKind.run()
    }
}

/// Tables of wide orders.
enum WideSchema {
    /// - `wideOrders.since` stands while the order is partial: the finder looks at these rows only.
    /// - `parts` holds a row for each group that has items, with the entry that took it; none: forbidden before anybody met it.
    static let tables = """
        CREATE TABLE wideOrders(
            flow BLOB NOT NULL, digest INTEGER NOT NULL, groups BLOB NOT NULL, since INTEGER,
            PRIMARY KEY (flow, digest)) STRICT, WITHOUT ROWID;
        CREATE INDEX halfDoneOrders ON wideOrders(since) WHERE since IS NOT NULL;
        CREATE TABLE parts(
            bucket INTEGER NOT NULL, flow BLOB NOT NULL, digest INTEGER NOT NULL, epoch INTEGER, n INTEGER,
            PRIMARY KEY (bucket, flow)) STRICT, WITHOUT ROWID;
        INSERT OR IGNORE INTO orderCounts VALUES (8, 0);
        """
}
