import GRDB
import Inventory

/// The prepared statements of deadlines, late payments and refunds.
struct OrderLifeStatements {
    let findRules: SQLiteStatement
    let insertDeadlines: SQLiteStatement
    let deleteDeadlines: SQLiteStatement
    let setDeadline: SQLiteStatement
    let insertPayment: SQLiteStatement
    let findPayment: SQLiteStatement
    let takeWaiting: SQLiteStatement
    let markReservingAgain: SQLiteStatement
    let findAgain: SQLiteStatement
    let endReservingAgain: SQLiteStatement
    let findRefund: SQLiteStatement
    let insertRefund: SQLiteStatement
    let savepoint: SQLiteStatement
    let releaseSavepoint: SQLiteStatement
    let rollBackToSavepoint: SQLiteStatement

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> SQLiteStatement { try SQLiteStatement(database, sql) }
        findRules = try prepare(
            """
            SELECT reservationTimeout, latePayments = 'reserveAgain', EXISTS (SELECT 1 FROM payments WHERE state = 1)
            FROM sales
            """)
        insertDeadlines = try prepare("INSERT INTO deadlines (deadline, flows) VALUES (?1, ?2)")
        deleteDeadlines = try prepare("DELETE FROM deadlines WHERE number = ?1")
        setDeadline = try prepare("UPDATE orders SET deadline = ?2 WHERE flow = ?1")
        insertPayment = try prepare(
            "INSERT OR IGNORE INTO payments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)")
        findPayment = try prepare("SELECT state, reason, again FROM payments WHERE flow = ?1 AND digest = ?2")
        takeWaiting = try prepare("DELETE FROM payments WHERE flow = ?1 AND digest = ?2 AND state = 1")
        markReservingAgain = try prepare(
            "UPDATE payments SET state = 2, reason = ?3 WHERE flow = ?1 AND digest = ?2 AND state = 1")
        findAgain = try prepare("SELECT flow, digest, state, reason FROM payments WHERE again = ?1 AND digest = ?2")
        endReservingAgain = try prepare("UPDATE payments SET state = 4 WHERE again = ?1 AND state = 2")
        findRefund = try prepare("SELECT reason FROM refunds WHERE flow = ?1 AND digest = ?2")
        // Settled before any money had come, it has to be settled once more: now there is some.
        insertRefund = try prepare(
            """
            INSERT INTO refunds (flow, digest, units, reason, paid, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (flow, digest) DO UPDATE
            SET paid = 1, settledAt = CASE WHEN paid THEN settledAt END WHERE excluded.paid
            """)
        savepoint = try prepare("SAVEPOINT one")
        releaseSavepoint = try prepare("RELEASE one")
        rollBackToSavepoint = try prepare("ROLLBACK TO one")
    }
}

/// How orders end: by a payment, in time or late.
extension SQLiteWriter {
    /// Flows in one row of `deadlines`.
    static let flowsPerDeadlineRow = 256

    func openLife() throws {
        books.deadline = nil
        books.latePayments = .refund
        books.hasWaitingPayments = false
        guard try life.findRules.next() else { return }
        if !life.findRules.isNull(0) { books.deadline = books.now + life.findRules.int64(0) }
        books.latePayments = life.findRules.int64(1) != 0 ? .reserveAgain : .refund
        books.hasWaitingPayments = life.findRules.int64(2) != 0
        life.findRules.reset()
    }

    /// Writes until when this transaction's reservations wait.
    func writeDeadlines() throws {
        guard let deadline = books.deadline else { return }
        var first = 0
        while first < books.due.count {
            let last = min(first + Self.flowsPerDeadlineRow, books.due.count)
            var flows: [UInt8] = []
            flows.reserveCapacity((last - first) * 16)
            for flow in books.due[first..<last] { flow.append(to: &flows) }
            life.insertDeadlines.bind(1, deadline)
            life.insertDeadlines.bind(copying: flows, at: 2)
            try life.insertDeadlines.run()
            first = last
        }
    }

    /// In a careful transaction: does `body` behind a savepoint, and `refused` instead if the tables refuse it.
    func guarded<T>(_ body: () throws -> T, refused: (String) throws -> T) throws -> T {
        guard books.isCareful else { return try body() }
        let before = books
        try life.savepoint.run()
        do {
            let value = try body()
            try life.releaseSavepoint.run()
            return value
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            try life.rollBackToSavepoint.run()
            try life.releaseSavepoint.run()
            books = before
            return try refused(SQLiteErrors.printable(error.message ?? "a constraint failed"))
        }
    }

    // MARK: Deadlines

    /// Ends a reservation whose deadline has passed; false if it was ended or paid before.
    func expire(_ order: Order) throws -> Bool {
        guard try change(order, from: .reserved, to: .expired) else { return false }
        try want(order, after: nil)
        return true
    }

    func deleteDeadlines(_ number: Int64) throws {
        life.deleteDeadlines.bind(1, number)
        try life.deleteDeadlines.run()
    }

    // MARK: Payments

    /// Carries out a payment's result.
    func pay(_ payment: Payment) throws -> PaymentResult {
        let order = payment.order
        if payment.succeeded {
            if try change(order, from: .reserved, to: .sold) { return .confirmed }
        } else if try release(order) {
            return .cancelled
        }
        switch try known(order) {
        case .same(.sold), .same(.reserved): return .already(sold: true)
        case .same(.overCapacity): return try keepWaiting(order)
        case .same(.partial):
            if payment.succeeded { return try keepWaiting(order) }
            if try paymentState(of: order) == .waiting { return .waiting }
            _ = try cancel(order)
            return .cancelled
        case .same(let ended): return payment.succeeded ? try goLate(order, ended.lateReason) : .already(sold: false)
        case .another: return payment.succeeded ? try goLate(order, .conflict) : .already(sold: false)
        case .absent:
            guard try order.groups.allSatisfy({ try flaw(of: $0, in: $0.bucket) == nil }) else {
                return payment.succeeded ? try goLate(order, .noOrder) : .already(sold: false)
            }
            if payment.succeeded { return try keepWaiting(order) }
            // What was paid for once is not undone by another answer.
            if try paymentState(of: order) == .waiting { return .waiting }
            _ = try cancel(order)
            return .cancelled
        }
    }

    /// Sells an order that came after its payment.
    func confirmIfPaid(_ order: Order) throws {
        if try takeWaiting(order) { _ = try change(order, from: .reserved, to: .sold) }
    }

    /// What becomes of one waiting payment now; `nil`: it goes on waiting.
    func settleWaiting(_ order: Order, epoch: Epoch, isOverdue: Bool) throws -> PaymentResult? {
        guard try paymentState(of: order) == .waiting else { return nil }
        switch try known(order) {
        case .same(.overCapacity), .same(.partial):
            // A person decides who loses; the finder decides what is whole.
            return nil
        case .same(.reserved), .same(.sold):
            guard try takeWaiting(order) else { return nil }
            return try change(order, from: .reserved, to: .sold) ? .confirmed : .already(sold: true)
        case .same(let ended): return try goLate(order, ended.lateReason)
        case .another: return try goLate(order, .conflict)
        case .absent:
            let hasReopened = try order.groups.allSatisfy { try openedEpoch($0) > epoch }
            guard hasReopened || isOverdue else { return nil }
            // Forbidden first: an order that comes after all finds its flow cancelled, and is given back.
            guard case .cancelled = try cancel(order) else { return nil }
            return try goLate(order, .lost)
        }
    }

    private func keepWaiting(_ order: Order) throws -> PaymentResult {
        books.hasWaitingPayments = true
        try insertPayment(order, .waiting, reason: nil)
        return .waiting
    }

    /// The late way: once for each payment, however often it is told.
    func goLate(_ order: Order, _ reason: LateReason) throws -> PaymentResult {
        if let known = try refundReason(of: order) {
            try refund(order, known, isPaid: true)
            return .refunded(known)
        }
        if let known = try payment(of: order), known.state != .waiting {
            return known.state == .reservedAgain ? .reservedAgain(known.again) : .reservingAgain(known.reason ?? reason)
        }
        if let first = try paymentAskedAgain(as: order), first.state != .reservedAgain {
            // The money is the first order's: it goes back once, under that one.
            if first.state == .reservingAgain {
                life.endReservingAgain.bind(1, order.flow)
                try life.endReservingAgain.run()
                try refund(first.flow, first.digest, order.allUnits, first.reason, isPaid: true)
            }
            return .refunded(first.reason)
        }
        // Once: what was asked for again and comes late again is paid back.
        if books.latePayments == .reserveAgain, reason != .noOrder, try paymentAskedAgain(as: order) == nil {
            life.markReservingAgain.bind(1, order.flow)
            life.markReservingAgain.bind(2, Int64(order.digest.rawValue))
            life.markReservingAgain.bind(3, reason.rawValue)
            if try life.markReservingAgain.run() == 0 { try insertPayment(order, .reservingAgain, reason: reason) }
            return .reservingAgain(reason)
        }
        _ = try takeWaiting(order)
        try refund(order, reason, isPaid: true)
        return .refunded(reason)
    }

    // MARK: Rows

    private func insertPayment(_ order: Order, _ state: PaymentState, reason: LateReason?) throws {
        let statement = life.insertPayment
        if let wide = order.wide { try wideStatements.note(wide) }
        try noteBuyer(order)
        statement.bind(1, order.flow)
        statement.bind(2, Int64(order.digest.rawValue))
        statement.bind(3, order.bucket.rawValue)
        statement.bind(copying: PackedLines.pack(order.lines), at: 4)
        statement.bind(5, try order.groups.map { try openedEpoch($0).rawValue }.max() ?? 0)
        statement.bind(6, books.now)
        statement.bind(7, state.rawValue)
        if let reason { statement.bind(8, reason.rawValue) } else { statement.bindNull(8) }
        try statement.run()
    }

    /// The epoch under which an order's bucket was open last.
    private func openedEpoch(_ order: Order) throws -> Epoch {
        try place(of: order.bucket).map { books.buckets[$0].drainedEpoch } ?? .none
    }

    private func payment(of order: Order) throws -> (state: PaymentState, reason: LateReason?, again: FlowID)? {
        life.findPayment.bind(1, order.flow)
        life.findPayment.bind(2, Int64(order.digest.rawValue))
        guard try life.findPayment.next() else { return nil }
        defer { life.findPayment.reset() }
        guard let state = PaymentState(rawValue: life.findPayment.int64(0)) else { return nil }
        return (state, LateReason(rawValue: life.findPayment.int64(1)), life.findPayment.flow(2))
    }

    private func paymentState(of order: Order) throws -> PaymentState? { try payment(of: order)?.state }

    /// Takes a waiting payment away; false if there is none.
    func takeWaiting(_ order: Order) throws -> Bool {
        life.takeWaiting.bind(1, order.flow)
        life.takeWaiting.bind(2, Int64(order.digest.rawValue))
        return try life.takeWaiting.run() == 1
    }

    private struct FirstPayment {
        let flow: FlowID
        let digest: Int64
        let state: PaymentState
        let reason: LateReason
    }

    /// The late payment whose lines were asked for once more as `order`.
    private func paymentAskedAgain(as order: Order) throws -> FirstPayment? {
        life.findAgain.bind(1, order.flow)
        // The same lines: the digest covers those, and not the flow.
        life.findAgain.bind(2, Int64(order.digest.rawValue))
        guard try life.findAgain.next() else { return nil }
        defer { life.findAgain.reset() }
        return FirstPayment(
            flow: life.findAgain.flow(0), digest: life.findAgain.int64(1),
            state: PaymentState(rawValue: life.findAgain.int64(2)) ?? .refunded,
            reason: LateReason(rawValue: life.findAgain.int64(3)) ?? .lost)
    }

    private func refundReason(of order: Order) throws -> LateReason? {
        life.findRefund.bind(1, order.flow)
        life.findRefund.bind(2, Int64(order.digest.rawValue))
        guard try life.findRefund.next() else { return nil }
        defer { life.findRefund.reset() }
        return LateReason(rawValue: life.findRefund.int64(0))
    }

    func refund(_ order: Order, _ reason: LateReason, isPaid: Bool) throws {
        try refund(order.flow, Int64(order.digest.rawValue), order.allUnits, reason, isPaid: isPaid)
    }

    private func refund(
        _ flow: FlowID, _ digest: Int64, _ units: Int64, _ reason: LateReason, isPaid: Bool
    ) throws {
        life.insertRefund.bind(1, flow)
        life.insertRefund.bind(2, digest)
        life.insertRefund.bind(3, units)
        life.insertRefund.bind(4, reason.rawValue)
        life.insertRefund.bind(5, Int32(isPaid ? 1 : 0))
        life.insertRefund.bind(6, books.now)
        try life.insertRefund.run()
    }

    // MARK: Beyond capacity

    /// Carries out who loses and who is taken in; throws, for the whole transaction, if anything moved.
    func settle(_ choice: OversoldChoice, claim: Epoch?) throws {
        guard let place = try place(of: choice.bucket) else {
            throw OrderStoreError(.refused, "bucket number \(choice.bucket.rawValue) is not in this sale")
        }
        let bucket = books.buckets[place]
        if claim != nil || !choice.takenIn.isEmpty {
            guard bucket.state == .recovering, bucket.epoch == claim, !bucket.isFolded else {
                throw OrderStoreError(
                    .refused,
                    "orders are taken into bucket number \(choice.bucket.rawValue) only while it is rebuilt; try again")
            }
        }
        func moved(_ order: Order) -> OrderStoreError {
            OrderStoreError(
                .refused, "order \(order.flow) is not what it was when the choice was made; look at the list again")
        }
        for order in choice.losers {
            guard try release(order) else { throw moved(order) }
            try refund(order, .oversold, isPaid: try takeWaiting(order))
        }
        for order in choice.takenIn {
            if let wide = order.wide {
                guard try takeIn(order, of: wide) else { throw moved(order) }
                continue
            }
            let isPaid = try takeWaiting(order)
            guard try change(order, from: .overCapacity, to: isPaid ? .sold : .reserved) else { throw moved(order) }
            if !isPaid, let deadline = books.deadline {
                life.setDeadline.bind(1, order.flow)
                life.setDeadline.bind(2, deadline)
                try life.setDeadline.run()
                books.due.append(order.flow)
            }
        }
        for sku in books.skus where sku.sold + sku.reserved > sku.allocated {
            throw OrderStoreError(
                .refused,
                "SKU number \(sku.number) would have \(sku.sold + sku.reserved) of \(sku.allocated) units taken; look at the list again"
            )
        }
    }
}

extension OrderState {
    /// Why a payment for an order in this state is late.
    fileprivate var lateReason: LateReason {
        switch self {
        case .expired: .expired
        case .void, .overCapacity: .noCapacity
        case .reserved, .sold, .cancelled, .partial: .cancelled
        }
    }
}
