import Inventory
import OrderStore
import Testing

/// How orders end: by deadline, by a payment in time or late.
@Suite struct OrderLifeRules {
    @Test(arguments: StoreKind.all)
    func aReservationExpiresAtItsDeadlineOnceAndIsGivenBack(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, timeout: 1_000)
        let (store, time) = (fixture.store, fixture.time)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = try (1...3).map { try fixture.order($0, [(1, 1), (2, 2)]) }
        try await fixture.settle(epoch, 1, .deduct(orders))
        #expect(try await fixture.pay(orders[0]) == .confirmed)
        let madeAt = time.milliseconds
        #expect(try await store.expire(now: madeAt + 999, limit: 100).expired == [])
        let sweep = try await store.expire(now: madeAt + 1_000, limit: 1_000)
        #expect(sweep.expired.map(\.order) == [orders[1], orders[2]] && sweep.isDone)
        #expect(sweep.expired.allSatisfy { $0.deadline == madeAt + 1_000 })
        #expect(try await store.expire(now: madeAt + 9_000, limit: 1_000).expired == [])
        let counters = try await fixture.counters(2)
        #expect(counters.sold == 2 && counters.reserved == 0)
        #expect(try await store.orderTotals().expired == 2)
        #expect(try await fixture.pendingFlows() == [Fixture.flow(2), Fixture.flow(3)])
        #expect(try await store.absent(orders.map(\.flow)) == [])
        #expect(try await store.cancel([orders[1]]) == [.alreadyCancelled])
        // A retry of the same order hears that it is over, and takes nothing.
        try await fixture.settle(epoch, 2, .release(givenBack: [orders[1], orders[2]], tombstones: []))
        #expect(try await fixture.settle(epoch, 3, .deduct([orders[1]])) == "settled 2:cancelled")
        #expect(try await fixture.pendingFlows() == [Fixture.flow(2)])
        #expect(try await fixture.taken(epoch, through: 2, sku: 2) == 2)
    }

    @Test(arguments: StoreKind.all)
    func aSweepIsBoundedAndGoesOn(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, units: 10_000, timeout: 10)
        let epoch = try await fixture.open(fixture.bucket)
        for n in 1...4 {
            let orders = try (0..<200).map { try fixture.order(n * 1_000 + $0) }
            try await fixture.settle(epoch, Int64(n), .deduct(orders))
            fixture.time.milliseconds += 1
        }
        let due = fixture.time.milliseconds + 10
        let first = try await fixture.store.expire(now: due, limit: 300)
        #expect(first.expired.count == 200 && !first.isDone)
        #expect(first.expired.allSatisfy { $0.order.flow < Fixture.flow(2_000) })
        var all = first.expired.count
        var isDone = false
        while !isDone {
            let next = try await fixture.store.expire(now: due, limit: 300)
            #expect(next.expired.count <= 300)
            all += next.expired.count
            isDone = next.isDone
        }
        #expect(all == 800)
        #expect(try await fixture.counters().reserved == 0)
    }

    @Test(arguments: StoreKind.all)
    func withoutATimeoutNothingExpires(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        let epoch = try await fixture.open(fixture.bucket)
        try await fixture.settle(epoch, 1, .deduct([fixture.order(1)]))
        #expect(try await fixture.store.expire(now: .max, limit: 10).expired == [])
        #expect(try await fixture.store.sale()?.reservationTimeoutMilliseconds == nil)
    }

    @Test(arguments: StoreKind.all)
    func aPaymentAfterTheDeadlineIsRefundedOnceHoweverOftenItIsTold(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, timeout: 5)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = [try fixture.order(1, quantity: 2), try fixture.order(2)]
        try await fixture.settle(epoch, 1, .deduct(orders))
        // Past its deadline, but nobody has ended it yet: in time.
        fixture.time.milliseconds += 100
        #expect(try await fixture.pay(orders[1]) == .confirmed)
        #expect(try await fixture.store.expire(now: fixture.time.milliseconds, limit: 10).expired.count == 1)
        for _ in 0..<3 { #expect(try await fixture.pay(orders[0]) == .refunded(.expired)) }
        #expect(try await fixture.pay(orders[0], succeeded: false) == .already(sold: false))
        let refunds = try await fixture.store.refunds(limit: 10)
        #expect(refunds.map(\.flow) == [Fixture.flow(1)] && refunds[0].units == 2 && refunds[0].isPaid)
        #expect(refunds[0].reason == .expired && refunds[0].settledAtMilliseconds == nil)
        #expect(try await fixture.store.settleRefund(refunds[0].number))
        #expect(try await !fixture.store.settleRefund(refunds[0].number))
        let totals = try await fixture.store.paymentTotals()
        #expect(totals.refundsPending == 0 && totals.refundsSettled == 1 && totals.refundUnits == 2 && totals.late == 1)
    }

    /// Payment and deadline meet on two connections: each order ends one way, and only one.
    @Test(arguments: [StoreKind.file])
    func paymentAndDeadlineRaceInAnyOrder(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, units: 10_000, timeout: 1)
        let epoch = try await fixture.open(fixture.bucket)
        let orders = try (1...2_000).map { try fixture.order($0) }
        for n in 0..<20 {
            try await fixture.settle(epoch, Int64(n + 1), .deduct(Array(orders[n * 100..<n * 100 + 100])))
        }
        let due = fixture.time.milliseconds + 10
        let other = try kind.openAt(fixture.folder, SaleClock(fixture.time))
        async let swept: [FlowID] = {
            var all: [FlowID] = []
            var isDone = false
            while !isDone {
                let sweep = try await other.expire(now: due, limit: 1)
                all += sweep.expired.map(\.order.flow)
                isDone = sweep.isDone
            }
            return all
        }()
        var confirmed: [FlowID] = []
        var late: [FlowID] = []
        for order in orders.reversed() {
            switch try await fixture.pay(order) {
            case .confirmed: confirmed.append(order.flow)
            case .refunded(.expired): late.append(order.flow)
            case let result: Issue.record("\(result)")
            }
        }
        let expired = try await swept
        #expect(Set(expired) == Set(late) && expired.count == late.count)
        #expect(Set(confirmed).isDisjoint(with: expired) && confirmed.count + expired.count == orders.count)
        #expect(!confirmed.isEmpty && !expired.isEmpty, "no race: \(confirmed.count) paid, \(expired.count) expired")
        #expect(try await fixture.counters().sold == Int64(confirmed.count))
        #expect(try await fixture.counters().reserved == 0)
        #expect(try await fixture.pendingFlows().count == min(1_000, expired.count))
        #expect(try await fixture.store.paymentTotals().refundsPending == Int64(late.count))
        await other.close()
    }

    // MARK: Orders that SQL does not have

    @Test(arguments: StoreKind.all, [Durability.memory, .durable])
    func aPaymentWaitsForItsOrderAndSellsItAsItComes(kind: StoreKind, durability: Durability) async throws {
        let fixture = try await Fixture(kind, durability: durability, timeout: 1)
        let epoch = try await fixture.open(fixture.bucket)
        let order = try fixture.order(1)
        for _ in 0..<2 { #expect(try await fixture.pay(order) == .waiting) }
        // It cannot be undone by an answer that says the opposite.
        #expect(try await fixture.pay(order, succeeded: false) == .waiting)
        #expect(try await fixture.store.paymentTotals().waiting == 1)
        let early = try await fixture.store.settleWaitingPayments(overdue: [], after: nil, limit: 10)
        #expect(early.ended == [] && early.next == nil)
        #expect(try await fixture.settle(epoch, 1, .deduct([order])) == "settled")
        #expect(try await fixture.counters().sold == 1)
        #expect(try await fixture.counters().reserved == 0)
        #expect(try await fixture.store.paymentTotals().waiting == 0)
        #expect(try await fixture.store.expire(now: .max, limit: 10).expired == [])
        #expect(try await fixture.pay(order) == .already(sold: true))
    }

    @Test(arguments: StoreKind.all)
    func aPaymentForAnOrderThatARecoveryDidNotFindIsRefundedAndItsFlowForbidden(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, durability: .memory)
        let epoch = try await fixture.open(fixture.bucket)
        let (lost, found) = (try fixture.order(1), try fixture.order(2))
        #expect(try await fixture.pay(lost) == .waiting)
        #expect(try await fixture.pay(found) == .waiting)
        let claim = try await fixture.store.claimEpoch(bucket: fixture.bucket, above: epoch, by: "test")
        #expect(try await fixture.settle(epoch, 7, .deduct([found]), claim: claim) == "settled")
        // Not before the recovery is over: it may still find it.
        #expect(
            try await fixture.store.settleWaitingPayments(overdue: [], after: nil, limit: 10).ended == [])
        _ = try await fixture.store.fold(bucket: fixture.bucket, claim: claim)
        _ = try await fixture.store.markOpened(bucket: fixture.bucket, claim: claim)
        let sweep = try await fixture.store.settleWaitingPayments(overdue: [], after: nil, limit: 10)
        #expect(sweep.ended == [.init(order: lost, result: .refunded(.lost))])
        #expect(try await fixture.counters().sold == 1)
        #expect(try await fixture.pay(lost) == .refunded(.lost))
        // Redis must learn it too, and the order can never come.
        #expect(try await fixture.pendingFlows() == [lost.flow])
        #expect(try await fixture.settle(claim, 1, .deduct([lost])) == "settled 1:cancelled")
        #expect(try await fixture.store.refunds(limit: 10).count == 1)
    }

    @Test(arguments: StoreKind.all)
    func aPaymentForAnOrderThatNeverComesIsRefundedAfterItsBound(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind)
        _ = try await fixture.open(fixture.bucket)
        for number in 1...5 { #expect(try await fixture.pay(fixture.order(number)) == .waiting) }
        let early = try await fixture.store.settleWaitingPayments(overdue: [], after: nil, limit: 10)
        #expect(early.ended == [])
        #expect(early.waiting.map(\.flow) == (1...5).map(Fixture.flow))
        var ended: [FlowID] = []
        var position: PaymentPosition?
        repeat {
            let sweep = try await fixture.store.settleWaitingPayments(
                overdue: Set(early.waiting), after: position, limit: 2)
            ended += sweep.ended.map(\.order.flow)
            position = sweep.next
        } while position != nil
        #expect(ended == (1...5).map(Fixture.flow))
        #expect(try await fixture.store.orderTotals().cancelled == 5)
    }

    @Test(arguments: StoreKind.all)
    func aFailedPaymentForAnAbsentOrderForbidsIt(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, durability: .memory)
        let epoch = try await fixture.open(fixture.bucket)
        let order = try fixture.order(1)
        #expect(try await fixture.pay(order, succeeded: false) == .cancelled)
        #expect(try await fixture.pay(order, succeeded: false) == .already(sold: false))
        #expect(try await fixture.settle(epoch, 1, .deduct([order])) == "settled 1:cancelled")
        #expect(try await fixture.pendingFlows() == [order.flow])
        #expect(try await fixture.counters().reserved == 0)
    }

    @Test(arguments: StoreKind.all)
    func paymentsForWhatIsNoOrderArePaidBack(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, latePayments: .reserveAgain)
        _ = try await fixture.open(fixture.bucket)
        let forged = Order(
            trustedFlow: Fixture.flow(1), bucket: fixture.bucket,
            sortedLines: [.init(sku: .init(rawValue: 77), quantity: 1)])
        #expect(try await fixture.pay(forged) == .refunded(.noOrder))
        #expect(try await fixture.pay(forged, succeeded: false) == .already(sold: false))
        #expect(try await fixture.store.orderTotals().cancelled == 0)
    }

    // MARK: Reserving again

    @Test(arguments: StoreKind.all, [true, false])
    func aLatePaymentIsReservedAgainOnceUnderOneFlow(kind: StoreKind, succeeds: Bool) async throws {
        let fixture = try await Fixture(kind, timeout: 1, latePayments: .reserveAgain)
        let epoch = try await fixture.open(fixture.bucket)
        let order = try fixture.order(1)
        try await fixture.settle(epoch, 1, .deduct([order]))
        _ = try await fixture.store.expire(now: .max, limit: 10)
        for _ in 0..<2 { #expect(try await fixture.pay(order) == .reservingAgain(.expired)) }
        #expect(
            try await fixture.store.paymentsToReserveAgain(limit: 10) == [
                LatePayment(order: order, reason: .expired, again: nil)
            ])
        #expect(try await fixture.store.linkReservation(of: order, again: Fixture.flow(2)) == Fixture.flow(2))
        // A worker that died in between finds the flow it asked under.
        #expect(try await fixture.store.linkReservation(of: order, again: Fixture.flow(3)) == Fixture.flow(2))
        #expect(try await fixture.store.paymentsToReserveAgain(limit: 10).first?.again == Fixture.flow(2))
        let again = try fixture.order(2)
        if succeeds {
            try await fixture.settle(epoch, 2, .deduct([again]))
            #expect(try await fixture.pay(again) == .confirmed)
        } else {
            // Late once more: now the money goes back.
            #expect(try await fixture.store.cancel([again]) == [.cancelled])
            // Under the first flow: the money was paid once.
            #expect(try await fixture.pay(again) == .refunded(.expired))
            #expect(try await fixture.store.refunds(limit: 10).map(\.flow) == [order.flow])
        }
        for _ in 0..<2 { try await fixture.store.endReservingAgain(order, reserved: succeeds) }
        #expect(try await fixture.pay(order) == (succeeds ? .reservedAgain(Fixture.flow(2)) : .refunded(.expired)))
        #expect(try await fixture.store.paymentsToReserveAgain(limit: 10) == [])
        let totals = try await fixture.store.paymentTotals()
        #expect(totals.reservedAgain == (succeeds ? 1 : 0) && totals.reservingAgain == 0)
        #expect(try await fixture.store.linkReservation(of: order, again: Fixture.flow(4)) == nil)
    }
}
