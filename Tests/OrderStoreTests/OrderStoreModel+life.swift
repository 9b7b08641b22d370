import Inventory
import OrderStore

/// Deadlines, late payments, refunds and oversold orders, said a second time.
extension OrderStoreModel {
    func key(_ order: Order) -> GiveBackKey { GiveBackKey(flow: order.flow, digest: order.digest) }

    /// Everything that is due, by flow.
    mutating func expire() -> [ExpirySweep.Expired] {
        var expired: [ExpirySweep.Expired] = []
        for row in rows.values where row.state == .reserved {
            guard let deadline = row.deadline, deadline <= now else { continue }
            end(row.order)
            rows[row.order.flow]!.state = .expired
            expired.append(.init(order: row.order, deadline: deadline))
        }
        return expired.sorted { $0.order.flow < $1.order.flow }
    }

    /// Ends what is reserved, in flow order after `position`, whatever its deadline; `nil`: the sale is not closed, so nothing.
    mutating func endReservations(after position: FlowID?, limit: Int) -> EndedReservations? {
        guard isClosed else { return nil }
        let open = rows.values.filter {
            $0.state == .reserved && position.map { [row = $0] in row.order.flow > $0 } ?? true
        }
        .map(\.order).sorted { $0.flow < $1.flow }.prefix(limit)
        for order in open {
            end(order)
            rows[order.flow]!.state = .expired
        }
        return EndedReservations(ended: open.count, next: open.count < limit ? nil : open.last?.flow)
    }

    mutating func wait(_ order: Order) -> PaymentResult {
        if payments[key(order)] == nil {
            payments[key(order)] = PaymentRow(
                order: order, state: .waiting, epoch: buckets[order.bucket]!.opened, at: now)
        }
        return .waiting
    }

    func lateReason(_ state: State) -> LateReason {
        switch state {
        case .expired: .expired
        case .void, .overCapacity: .noCapacity
        case .cancelled, .reserved, .sold: .cancelled
        }
    }

    mutating func goLate(_ order: Order, _ reason: LateReason) -> PaymentResult {
        if let known = refunds[key(order)] {
            refunds[key(order)]!.isPaid = true
            return .refunded(known.reason)
        }
        let known = payments[key(order)]
        if let known, known.state == .reservingAgain { return .reservingAgain(known.reason!) }
        if let known, known.state == .reservedAgain { return .reservedAgain(known.again!) }
        let first = payments.first { $0.value.again == order.flow && $0.key.digest == order.digest }
        if let first, first.value.state != .reservedAgain {
            if first.value.state == .reservingAgain {
                payments[first.key]!.state = .refunded
                refunds[first.key] = RefundRow(units: order.units, reason: first.value.reason!, isPaid: true)
            }
            return .refunded(first.value.reason!)
        }
        let wasAgain = first != nil
        if latePayments == .reserveAgain, !wasAgain {
            let at = known?.at ?? now
            payments[key(order)] = PaymentRow(
                order: order, state: .reservingAgain, epoch: buckets[order.bucket]!.opened, at: at, reason: reason)
            return .reservingAgain(reason)
        }
        payments[key(order)] = nil
        refunds[key(order)] = RefundRow(units: order.units, reason: reason, isPaid: true)
        return .refunded(reason)
    }

    /// Waiting payments that came before a moment.
    func waitingPayments(arrivedBefore moment: Int64) -> Set<PaymentPosition> {
        Set(
            payments.filter { $0.value.state == .waiting && $0.value.at < moment }
                .map { PaymentPosition(flow: $0.key.flow, digest: $0.key.digest) })
    }

    /// One look at every waiting payment, by flow.
    mutating func settleWaiting(_ overdue: Set<PaymentPosition>) -> [WaitingPaymentSweep.Ended] {
        var ended: [WaitingPaymentSweep.Ended] = []
        let waiting = payments.filter { $0.value.state == .waiting }.sorted {
            ($0.key.flow, $0.key.digest.rawValue) < ($1.key.flow, $1.key.digest.rawValue)
        }
        for (key, payment) in waiting {
            let order = payment.order
            let result: PaymentResult
            if let row = rows[order.flow] {
                if row.order != order {
                    result = goLate(order, .conflict)
                } else if row.state == .overCapacity {
                    continue
                } else if row.state == .sold || row.state == .reserved {
                    payments[key] = nil
                    result = row.state == .sold ? .already(sold: true) : .confirmed
                    rows[order.flow]!.state = .sold
                } else {
                    result = goLate(order, lateReason(row.state))
                }
            } else {
                let isOverdue = overdue.contains(PaymentPosition(flow: key.flow, digest: key.digest))
                guard buckets[order.bucket]!.opened > payment.epoch || isOverdue else { continue }
                _ = cancel(order)
                result = goLate(order, .lost)
            }
            ended.append(.init(order: order, result: result))
        }
        return ended
    }

    mutating func link(_ order: Order, _ flow: FlowID) -> FlowID? {
        guard payments[key(order)]?.state == .reservingAgain else { return nil }
        payments[key(order)]!.again = payments[key(order)]!.again ?? flow
        return payments[key(order)]!.again
    }

    mutating func endReservingAgain(_ order: Order, reserved: Bool) {
        guard let row = payments[key(order)], row.state == .reservingAgain else { return }
        if reserved {
            payments[key(order)]!.state = .reservedAgain
        } else {
            payments[key(order)]!.state = .refunded
            refunds[key(order)] = RefundRow(units: order.units, reason: row.reason!, isPaid: true)
        }
    }

    /// Whether the choice could be carried out; nothing moves otherwise.
    mutating func settleOversold(_ choice: OversoldChoice, claim: Epoch?) -> Bool {
        let before = self
        let bucket = buckets[choice.bucket]!
        if claim != nil || !choice.takenIn.isEmpty {
            guard bucket.state == .recovering, bucket.epoch == claim, bucket.folded != claim else { return false }
        }
        for order in choice.losers {
            guard let row = rows[order.flow], row.order == order, [.reserved, .overCapacity].contains(row.state) else {
                self = before
                return false
            }
            let isPaid = payments[key(order)]?.state == .waiting
            if isPaid { payments[key(order)] = nil }
            end(order)
            refunds[key(order)] = RefundRow(units: order.units, reason: .oversold, isPaid: isPaid)
        }
        for order in choice.takenIn {
            guard let row = rows[order.flow], row.order == order, row.state == .overCapacity else {
                self = before
                return false
            }
            let isPaid = payments[key(order)]?.state == .waiting
            if isPaid { payments[key(order)] = nil }
            rows[order.flow]!.state = isPaid ? .sold : .reserved
            rows[order.flow]!.deadline = isPaid ? nil : timeout.map { now + $0 }
            for line in order.lines { taken[line.sku, default: 0] += Int64(line.quantity) }
        }
        if taken.contains(where: { $0.value > allocated[$0.key]! }) {
            self = before
            return false
        }
        return true
    }

    var paymentTotals: PaymentTotals {
        var totals = PaymentTotals()
        totals.waiting = Int64(payments.values.count { $0.state == .waiting })
        totals.reservingAgain = Int64(payments.values.count { $0.state == .reservingAgain })
        totals.reservedAgain = Int64(payments.values.count { $0.state == .reservedAgain })
        totals.refundsPending = Int64(refunds.values.count { !$0.isSettled })
        totals.refundsSettled = Int64(refunds.values.count { $0.isSettled })
        totals.refundUnits = refunds.values.reduce(0) { $0 + $1.units }
        return totals
    }
}
