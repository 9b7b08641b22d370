public import Inventory

extension OrderStoreDecorator {
    public func endReservations(after position: FlowID?, limit: Int) async throws -> EndedReservations {
        try await base.endReservations(after: position, limit: limit)
    }
    public func lastDeadline() async throws -> Int64? { try await base.lastDeadline() }
    public func expire(now: Int64, limit: Int) async throws -> ExpirySweep {
        try await base.expire(now: now, limit: limit)
    }
    public func lastReservationOrSweep() async throws -> Int64? { try await base.lastReservationOrSweep() }
    public func settleWaitingPayments(
        overdue: Set<PaymentPosition>, after position: PaymentPosition?, limit: Int
    ) async throws -> WaitingPaymentSweep {
        try await base.settleWaitingPayments(overdue: overdue, after: position, limit: limit)
    }
    public func paymentsToReserveAgain(limit: Int) async throws -> [LatePayment] {
        try await base.paymentsToReserveAgain(limit: limit)
    }
    public func linkReservation(of order: Order, again flow: FlowID) async throws -> FlowID? {
        try await base.linkReservation(of: order, again: flow)
    }
    public func endReservingAgain(_ order: Order, reserved: Bool) async throws {
        try await base.endReservingAgain(order, reserved: reserved)
    }
    public func refunds(limit: Int) async throws -> [Refund] { try await base.refunds(limit: limit) }
    public func settleRefund(_ number: Int64) async throws -> Bool { try await base.settleRefund(number) }
    public func paymentTotals() async throws -> PaymentTotals { try await base.paymentTotals() }
    public func oversold(policy: OversoldPolicy) async throws -> OversoldBooks {
        try await base.oversold(policy: policy)
    }
    public func settleOversold(_ choice: OversoldChoice, claim: Epoch?) async throws {
        try await base.settleOversold(choice, claim: claim)
    }
    public func deadLetters(limit: Int) async throws -> [DeadLetter] { try await base.deadLetters(limit: limit) }
    public func settleDeadLetter(
        _ number: Int64, as ending: DeadLetterEnding, who: String
    ) async throws -> DeadLetter {
        try await base.settleDeadLetter(number, as: ending, who: who)
    }
}
