import Inventory

/// What happens to an order that does not fit its SKU's allocation.
enum CapacityPolicy {
    /// The sale is durable: nobody was told yes, so it is void and given back.
    case void
    /// The buyer may have been told yes: a row outside the counters, not given back.
    case overCapacity
}

/// Decisions on single orders. Each moves rows first and counters by what the rows did.
extension SQLiteWriter {
    /// Why `order` can be no order of `bucket`; `nil` if it can.
    @inline(__always)
    func flaw(of order: Order, in bucket: BucketNumber) throws -> String? {
        guard order.bucket == bucket else { return "an order of another bucket" }
        guard !order.lines.isEmpty, order.lines.count <= Order.lineCountMax else {
            return "an order of no or too many lines"
        }
        var previous = Int32.min
        for line in order.lines {
            guard line.sku.rawValue > previous else { return "an order that names a SKU twice or out of order" }
            previous = line.sku.rawValue
            guard line.quantity >= 1, line.quantity <= Order.quantityMax else {
                return "an order of an impossible quantity"
            }
            guard let place = try place(of: line.sku), books.skus[place].bucket == bucket.rawValue else {
                return "an order of a SKU that its bucket does not have"
            }
        }
        return nil
    }

    /// Takes an order that Redis took at `id`, or finds what became of it before.
    func settle(_ order: Order, bucket: BucketNumber, id: OutboxID, policy: CapacityPolicy) throws -> OrderSettlement {
        if let flaw = try flaw(of: order, in: bucket) {
            try writeDeadLetter(order, bucket: bucket, id: id, reason: flaw)
            return .conflict
        }
        if let wide = order.wide {
            for other in wide.orders where other.bucket != bucket {
                guard let flaw = try flaw(of: other, in: other.bucket) else { continue }
                try writeDeadLetter(order, bucket: bucket, id: id, reason: "one group of an order with \(flaw)")
                return .conflict
            }
            return try settleGroup(order, of: wide, id: id, policy: policy)
        }
        var fits = true
        for line in order.lines {
            let sku = books.skus[try place(of: line.sku)!]
            if sku.sold + sku.reserved + Int64(line.quantity) > sku.allocated { fits = false }
            if sku.limitPerBuyer > 0, try exceeds(sku.limitPerBuyer, order.buyer, line) { fits = false }
        }
        let state: OrderState = fits ? .reserved : policy == .void ? .void : .overCapacity
        guard try insert(order, state: state, id: id) else {
            return try settleAgain(order, id: id, policy: policy)
        }
        switch state {
        case .reserved:
            return .committed
        case .void:
            try want(order, after: id)
            return .overCapacity
        default:
            return .overCapacity
        }
    }

    /// A take of a flow that SQL has already.
    private func settleAgain(_ order: Order, id: OutboxID, policy: CapacityPolicy) throws -> OrderSettlement {
        guard let state = try state(of: order) else {
            try want(order, after: id)
            return .conflict
        }
        switch state {
        case .reserved, .sold:
            books.wasTakenBefore = try rowID(of: order) != id
            return .committed
        case .cancelled, .expired:
            try want(order, after: id)
            return .cancelled
        case .void:
            try want(order, after: id)
            return .overCapacity
        case .overCapacity:
            if policy == .void { try want(order, after: id) }
            return .overCapacity
        case .partial:
            // Only an order over several buckets is.
            return .partial
        }
    }

    /// What SQL says of an order that an entry settled before took, without changing anything.
    func lookUp(_ order: Order) throws -> OrderSettlement {
        switch try state(of: order) {
        case .reserved, .sold: .committed
        case .cancelled, .expired: .cancelled
        case .void, .overCapacity: .overCapacity
        case .partial: .partial
        case nil: .conflict
        }
    }

    /// Cancels an order, or forbids its flow.
    func cancel(_ order: Order) throws -> CancelResult {
        if let wide = order.wide { return try cancel(wide) }
        if try release(order) { return .cancelled }
        if let state = try state(of: order) { return state == .sold ? .sold : .alreadyCancelled }
        if let flaw = try flaw(of: order, in: order.bucket) {
            throw OrderStoreError(.refused, "cannot cancel flow \(order.flow): it is \(flaw); check the SKUs")
        }
        // Absent, or the flow is another order's.
        guard try insert(order, state: .cancelled, id: OutboxID(epoch: .none, n: 0)) else { return .conflict }
        try want(order, after: nil)
        return .cancelled
    }

    /// Ends a reservation, or an over-capacity row, and asks for its give-back. False if there was neither.
    func release(_ order: Order) throws -> Bool {
        let isReserved = try change(order, from: .reserved, to: .cancelled)
        guard try isReserved || change(order, from: .overCapacity, to: .cancelled) else { return false }
        try want(order, after: nil)
        return true
    }

    // MARK: Rows

    /// What SQL holds under an order's flow.
    enum Known {
        case absent
        /// This very order, and its state.
        case same(OrderState)
        case another
    }

    func known(_ order: Order) throws -> Known {
        findOrder.bind(1, order.flow)
        guard try findOrder.next() else { return .absent }
        defer { findOrder.reset() }
        guard findOrder.int32(0) == (order.wide?.home ?? order.bucket).rawValue,
            findOrder.int64(2) == Int64(order.digest.rawValue),
            let state = OrderState(rawValue: findOrder.int64(1))
        else { return .another }
        return .same(state)
    }

    /// The state of this very order; `nil` if its flow is absent or another order's.
    private func state(of order: Order) throws -> OrderState? {
        guard case .same(let state) = try known(order) else { return nil }
        return state
    }

    /// The entry from which an order's row came.
    private func rowID(of order: Order) throws -> OutboxID? {
        findOrder.bind(1, order.flow)
        guard try findOrder.next() else { return nil }
        defer { findOrder.reset() }
        return OutboxID(epoch: Epoch(rawValue: findOrder.int64(3)), n: findOrder.int64(4))
    }

    /// Inserts an order with its items and moves the counters; false if its flow is there already.
    @inline(__always)
    func insert(_ order: Order, state: OrderState, id: OutboxID) throws -> Bool {
        insertOrder.bind(1, order.flow)
        insertOrder.bind(2, order.bucket.rawValue)
        insertOrder.bind(3, id.epoch.rawValue)
        insertOrder.bind(4, id.n)
        insertOrder.bind(5, state.rawValue)
        insertOrder.bind(6, Int64(order.digest.rawValue))
        insertOrder.bind(7, books.now)
        if state == .reserved, let deadline = books.deadline {
            insertOrder.bind(8, deadline)
        } else {
            insertOrder.bindNull(8)
        }
        guard try insertOrder.run() == 1 else { return false }
        try noteBuyer(order)
        try notePassed(order)
        if state.kind == .taken { try hold(order, 1) }
        for line in order.lines {
            insertItem.bind(1, order.bucket.rawValue)
            insertItem.bind(2, order.flow)
            insertItem.bind(3, line.sku.rawValue)
            insertItem.bind(4, line.quantity)
            insertItem.bind(5, state.kind.rawValue)
            insertItem.bind(6, id.n)
            try insertItem.run()
        }
        try count(order, in: state, 1)
        if state == .reserved {
            if books.deadline != nil { books.due.append(order.flow) }
            if books.hasWaitingPayments { try confirmIfPaid(order) }
        }
        return true
    }

    /// Moves an order from one state to another, if it is in that one.
    func change(_ order: Order, from old: OrderState, to new: OrderState) throws -> Bool {
        if let wide = order.wide { return try change(wide, from: old, to: new) }
        changeOrder.bind(1, order.flow)
        changeOrder.bind(2, order.bucket.rawValue)
        changeOrder.bind(3, Int64(order.digest.rawValue))
        changeOrder.bind(4, new.rawValue)
        changeOrder.bind(5, old.rawValue)
        guard try changeOrder.run() == 1 else { return false }
        if old.kind != new.kind {
            if old.kind == .taken { try hold(order, -1) }
            if new.kind == .taken { try hold(order, 1) }
            for line in order.lines {
                changeItem.bind(1, order.bucket.rawValue)
                changeItem.bind(2, order.flow)
                changeItem.bind(3, line.sku.rawValue)
                changeItem.bind(4, new.kind.rawValue)
                try changeItem.run()
            }
        }
        try count(order, in: old, -1)
        try count(order, in: new, 1)
        return true
    }

    /// Moves the counters as a row entered (`sign` 1) or left (−1) a state.
    @inline(__always)
    private func count(_ order: Order, in state: OrderState, _ sign: Int64) throws {
        books.gained[Int(state.rawValue)] += sign
        guard state.kind != .cancelled else { return }
        for line in order.lines {
            guard let place = try place(of: line.sku) else { continue }
            let units = sign * Int64(line.quantity)
            switch state {
            case .reserved: books.skus[place].reserved += units
            case .sold: books.skus[place].sold += units
            default: books.skus[place].overCapacity += units
            }
            books.skus[place].isChanged = true
        }
    }

    // MARK: Give-backs

    /// Asks Redis for an order's units. `id` is the entry that took them: if a give-back with a later id is known to be done,
    /// it contained them. Without an id it was SQL that decided now.
    func want(_ order: Order, after id: OutboxID?) throws {
        wantGiveBack.bind(1, order.flow)
        wantGiveBack.bind(2, Self.giveBackKey(order))
        wantGiveBack.bind(3, order.bucket.rawValue)
        wantGiveBack.bind(copying: PackedLines.pack(order.lines), at: 4)
        wantGiveBack.bind(5, id?.epoch.rawValue ?? .max)
        wantGiveBack.bind(6, id?.n ?? .max)
        try wantGiveBack.run()
        try noteBuyer(order)
    }

    /// What ended a give-back.
    enum GiveBackEnding {
        /// The entry gave the units back.
        case givenBack
        /// The entry forbade the flow: there was nothing to give back.
        case tombstone
        /// Redis said, at that entry, that it holds nothing of it.
        case told
    }

    /// Notes that a give-back ended at `id`.
    func end(_ order: Order, at id: OutboxID, _ ending: GiveBackEnding) throws {
        let statement =
            switch ending {
            case .givenBack: noteGiveBack
            case .tombstone: endGiveBack
            case .told: forgetGiveBack
            }
        statement.bind(1, order.flow)
        statement.bind(2, Self.giveBackKey(order))
        statement.bind(3, order.bucket.rawValue)
        statement.bind(copying: PackedLines.pack(order.lines), at: 4)
        statement.bind(5, id.epoch.rawValue)
        statement.bind(6, id.n)
        try statement.run()
        try noteBuyer(order)
    }

    /// Keeps an order that cannot be one; its units count as taken until a person settles it.
    func writeDeadLetter(_ order: Order, bucket: BucketNumber, id: OutboxID, reason: String) throws {
        var blob = order.flow.bytes
        blob.append(contentsOf: PackedLines.pack(order.lines))
        try writeDeadLetter(bucket: bucket, id: id, blob: blob, reason: reason, isOrder: true)
    }

    func writeDeadLetter(
        bucket: BucketNumber, id: OutboxID, blob: [UInt8], reason: String, isOrder: Bool = false
    ) throws {
        insertDeadLetter.bind(1, bucket.rawValue)
        insertDeadLetter.bind(2, id.epoch.rawValue)
        insertDeadLetter.bind(3, id.n)
        insertDeadLetter.bind(copying: blob, at: 4)
        insertDeadLetter.bind(copying: reason, at: 5)
        insertDeadLetter.bind(6, books.now)
        insertDeadLetter.bind(7, Int32(isOrder ? 1 : 0))
        try insertDeadLetter.run()
    }
}
