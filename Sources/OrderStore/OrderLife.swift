public import Inventory

/// How an order ends, as SQL decides it: by its deadline, by a payment that came too late, by a person.
///
/// reserved → sold | cancelled | expired, each by one compare and set on its row, so that a payment and the deadline may race in
/// any order. Everything given back is decided here first and told to Redis afterwards.
public protocol OrderLifeStore: Sendable {
    // MARK: Deadlines

    /// Moves reservations whose deadline lies at or before `now` (Unix milliseconds) to expired, each with a pending give-back,
    /// oldest deadline first, in one transaction of about `limit` orders.
    ///
    /// It also notes `now`, every `ExpirySweep.notePeriodMilliseconds`, for a sweeper that begins later.
    func expire(now: Int64, limit: Int) async throws -> ExpirySweep
    /// The latest moment of which this store knows that reservations were made or swept, in Unix milliseconds by the wall clock of
    /// whoever did; `nil`: none.
    func lastReservationOrSweep() async throws -> Int64?

    /// Ends reservations whatever their deadline, each with a pending give-back: those among about `limit` orders after `position`, in
    /// flow order, in one transaction. Only of a sale that is closed: an open one promised its buyers the time.
    ///
    /// - Throws: `.refused`, and nothing changed, while the sale is not closed.
    func endReservations(after position: FlowID?, limit: Int) async throws -> EndedReservations
    /// The last moment, Unix milliseconds, until which something may be reserved; `nil`: nothing has a deadline.
    func lastDeadline() async throws -> Int64?

    // MARK: Late payments

    /// Looks at payments that wait for their order, at most `limit` after `position`. One whose order has ended goes the late
    /// way. So does one whose order is absent, if it cannot come any more: its bucket has opened under a newer epoch than the
    /// one in which the payment arrived, or the payment is among `overdue`. The flow is then forbidden in the same transaction,
    /// so that the order cannot come after all.
    ///
    /// - Parameter overdue: those that have waited long enough. Who calls measures that, by a clock that nobody sets: the moment
    ///   that stands in SQL is the wall clock of whoever wrote it.
    func settleWaitingPayments(
        overdue: Set<PaymentPosition>, after position: PaymentPosition?, limit: Int
    ) async throws -> WaitingPaymentSweep
    /// Late payments whose lines are to be asked for once more, oldest first.
    func paymentsToReserveAgain(limit: Int) async throws -> [LatePayment]
    /// Links a late payment's order to the flow under which it is asked for once more. The first link stays: what is returned
    /// is the flow to ask under. `nil`: the payment does not wait for that (any more).
    func linkReservation(of order: Order, again flow: FlowID) async throws -> FlowID?
    /// Ends a late payment that was linked: its new order has it (`reserved`), or the money goes back.
    func endReservingAgain(_ order: Order, reserved: Bool) async throws
    /// Refunds, newest first.
    func refunds(limit: Int) async throws -> [Refund]
    /// Notes that the money of a refund went back. False if there is no such refund or it was settled before.
    func settleRefund(_ number: Int64) async throws -> Bool
    /// Payments and refunds in numbers.
    func paymentTotals() async throws -> PaymentTotals

    // MARK: Beyond capacity

    /// The orders between which a choice must be made: all rows beyond capacity, and reservations of the SKUs concerned, as
    /// many as could have to make room, those that `policy` lets lose first.
    func oversold(policy: OversoldPolicy) async throws -> OversoldBooks
    /// Carries out a choice for one bucket, in one transaction: who loses becomes a cancelled row with a give-back and a refund,
    /// who is taken in becomes a reservation, or a sale if it is paid.
    ///
    /// - Parameter claim: the recovery that has closed and drained the bucket; required if anybody is taken in, because Redis
    ///   must then be rebuilt from what SQL decides here.
    /// - Throws: `.refused`, and nothing changed, if any of the orders moved since the choice was made, or if it does not fit.
    func settleOversold(_ choice: OversoldChoice, claim: Epoch?) async throws

    // MARK: Dead letters

    /// Dead letters that wait for a person, oldest first.
    func deadLetters(limit: Int) async throws -> [DeadLetter]
    /// Ends a dead letter. Its units count as taken until then; Redis has them back, or loses them, with the next rebuild of
    /// the bucket.
    ///
    /// - Throws: `.refused` if there is none of that number, it was settled before, or `givenBack` is asked for one whose units
    ///   nobody knows.
    func settleDeadLetter(_ number: Int64, as ending: DeadLetterEnding, who: String) async throws -> DeadLetter
}

/// What one step of ending reservations did.
public struct EndedReservations: Sendable, Hashable {
    public let ended: Int
    /// Where the next step begins; `nil`: there is none.
    public let next: FlowID?
    public init(ended: Int, next: FlowID?) {
        self.ended = ended
        self.next = next
    }
}

/// What one step of expiry did.
public struct ExpirySweep: Sendable {
    /// How old the noted moment of the last sweep may be.
    public static let notePeriodMilliseconds: Int64 = 5_000

    public struct Expired: Sendable, Hashable {
        public let order: Order
        /// Unix milliseconds.
        public let deadline: Int64
        public init(order: Order, deadline: Int64) {
            self.order = order
            self.deadline = deadline
        }
    }
    public let expired: [Expired]
    /// Whether nothing is due any more.
    public let isDone: Bool
    public init(expired: [Expired], isDone: Bool) {
        self.expired = expired
        self.isDone = isDone
    }
}

/// Why a payment came too late, or an order is paid back.
public enum LateReason: Int64, Sendable, Hashable, CaseIterable {
    /// The reservation's deadline had passed.
    case expired = 1
    /// The order was cancelled before.
    case cancelled = 2
    /// Another order has the flow.
    case conflict = 3
    /// SQL refused the order: it did not fit.
    case noCapacity = 4
    /// SQL never heard of the order, and cannot any more.
    case lost = 5
    /// More was promised than there is, and this order lost.
    case oversold = 6
    /// What was paid for is no order of this sale.
    case noOrder = 7

    /// In a few words.
    public var words: String {
        switch self {
        case .expired: "the reservation had expired"
        case .cancelled: "the order was cancelled"
        case .conflict: "another order has its flow"
        case .noCapacity: "the order did not fit"
        case .lost: "the order was lost before SQL heard of it"
        case .oversold: "more was promised than there is"
        case .noOrder: "it is no order of this sale"
        }
    }
}

/// A payment that goes, or went, the late way.
public struct LatePayment: Sendable, Hashable {
    public let order: Order
    public let reason: LateReason
    /// The flow under which its lines are asked for once more; `nil` before it was linked.
    public let again: FlowID?
    public init(order: Order, reason: LateReason, again: FlowID?) {
        self.order = order
        self.reason = reason
        self.again = again
    }
}

/// One payment, and its place in the order in which waiting ones are looked at.
public struct PaymentPosition: Sendable, Hashable {
    public let flow: FlowID
    public let digest: OrderDigest
    public init(flow: FlowID, digest: OrderDigest) {
        self.flow = flow
        self.digest = digest
    }
}

/// What one look at waiting payments did.
public struct WaitingPaymentSweep: Sendable {
    public struct Ended: Sendable, Hashable {
        public let order: Order
        public let result: PaymentResult
        public init(order: Order, result: PaymentResult) {
            self.order = order
            self.result = result
        }
    }
    public let ended: [Ended]
    /// Those that go on waiting.
    public let waiting: [PaymentPosition]
    /// Where to go on; `nil`: all were looked at.
    public let next: PaymentPosition?
    public init(ended: [Ended], waiting: [PaymentPosition], next: PaymentPosition?) {
        self.ended = ended
        self.waiting = waiting
        self.next = next
    }
}

/// Money, or a promise, that goes back to a buyer.
public struct Refund: Sendable, Hashable {
    public let number: Int64
    public let flow: FlowID
    public let digest: OrderDigest
    public let units: Int64
    public let reason: LateReason
    /// Whether a payment is known; a promise that was taken back before anybody paid has none.
    public let isPaid: Bool
    /// Unix milliseconds.
    public let atMilliseconds: Int64
    /// Unix milliseconds at which the money went back; `nil`: not yet.
    public let settledAtMilliseconds: Int64?
    public init(
        number: Int64, flow: FlowID, digest: OrderDigest, units: Int64, reason: LateReason, isPaid: Bool,
        atMilliseconds: Int64, settledAtMilliseconds: Int64?
    ) {
        self.number = number
        self.flow = flow
        self.digest = digest
        self.units = units
        self.reason = reason
        self.isPaid = isPaid
        self.atMilliseconds = atMilliseconds
        self.settledAtMilliseconds = settledAtMilliseconds
    }
}

public struct PaymentTotals: Sendable, Hashable {
    /// Payments that wait for their order.
    public var waiting: Int64 = 0
    /// Late payments whose lines are being asked for once more.
    public var reservingAgain: Int64 = 0
    /// Late payments that got their lines under another flow.
    public var reservedAgain: Int64 = 0
    public var refundsPending: Int64 = 0
    public var refundsSettled: Int64 = 0
    /// Units of all refunds.
    public var refundUnits: Int64 = 0
    public init() {}

    /// Payments, and promises taken back, that did not end as the buyer was told.
    public var late: Int64 { reservingAgain + reservedAgain + refundsPending + refundsSettled }
}

/// Who loses first where more was promised than there is. An order that is paid for never loses to one that is not.
public enum OversoldPolicy: String, Sendable, CaseIterable, Codable {
    /// Who came last.
    case newestFirst
    /// Who came first.
    case oldestFirst
    /// Who ordered the fewest units, the newest of them first.
    case smallestFirst
}

/// One order in a choice between orders.
public struct OversoldOrder: Sendable, Hashable {
    public let order: Order
    /// Beyond capacity, outside the counters; else a reservation within them.
    public let isOverCapacity: Bool
    /// Whether a payment is known.
    public let isPaid: Bool
    public init(order: Order, isOverCapacity: Bool, isPaid: Bool) {
        self.order = order
        self.isOverCapacity = isOverCapacity
        self.isPaid = isPaid
    }
}

public struct OversoldBooks: Sendable {
    /// SKUs that have units beyond capacity, and those that share an order with them.
    public let counters: [SKUCounters]
    /// By flow.
    public let orders: [OversoldOrder]
    public init(counters: [SKUCounters], orders: [OversoldOrder]) {
        self.counters = counters
        self.orders = orders
    }
}

/// Who loses and who is taken in, of one bucket.
public struct OversoldChoice: Sendable {
    public let bucket: BucketNumber
    public let losers: [Order]
    public let takenIn: [Order]
    public init(bucket: BucketNumber, losers: [Order], takenIn: [Order]) {
        self.bucket = bucket
        self.losers = losers
        self.takenIn = takenIn
    }
}

/// Something in an outbox that SQL could not take for what it said it was.
public struct DeadLetter: Sendable, Hashable {
    public let number: Int64
    public let bucket: BucketNumber
    public let id: OutboxID
    public let reason: String
    /// The order as it came, where it was one: its units count as taken.
    public let order: Order?
    public let blob: [UInt8]
    /// Unix milliseconds.
    public let atMilliseconds: Int64
    public init(
        number: Int64, bucket: BucketNumber, id: OutboxID, reason: String, order: Order?, blob: [UInt8],
        atMilliseconds: Int64
    ) {
        self.number = number
        self.bucket = bucket
        self.id = id
        self.reason = reason
        self.order = order
        self.blob = blob
        self.atMilliseconds = atMilliseconds
    }
    public var units: Int64 { order?.units ?? 0 }
}

/// How a person ends a dead letter.
public enum DeadLetterEnding: String, Sendable, CaseIterable, Codable {
    /// Its units are written off: they leave the allocation.
    case discarded
    /// Its units go back on sale.
    case givenBack
}
