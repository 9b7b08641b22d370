extension WarRoomSnapshot {
    /// How orders end that are not simply paid for.
    public struct Life: Sendable, Hashable {
        /// Reservations whose payment did not come in time, by SQL.
        public var expired: Int64 = 0
        /// From a deadline to the end in SQL, median and 99th percentile; 0 where this process ended none.
        public var sweepP50Milliseconds = 0.0
        public var sweepP99Milliseconds = 0.0
        /// Payments that wait for an order that SQL does not have.
        public var paymentsWaiting: Int64 = 0
        /// Payments that took the late way: refunded, or their lines asked for once more.
        public var latePayments: Int64 = 0
        /// Late payments that got their lines under another flow.
        public var reservedAgain: Int64 = 0
        public var refundsPending: Int64 = 0
        public var refundsSettled: Int64 = 0
        /// Orders beyond capacity, between which a person must choose.
        public var overCapacityOrders: Int64 = 0
        /// Dead letters that wait for a person, oldest first, at most ten, one line each.
        public var deadLetters: [String] = []
        public init() {}

        /// Refunds, settled or not.
        public var refunds: Int64 { refundsPending + refundsSettled }
    }
}
