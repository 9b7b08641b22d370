import Inventory
import Testing

@testable import Deduction

/// The combiner of a bucket as a value: every rule without a socket.
@Suite("A bucket's combiner") struct LaneStateTests {
    static let epoch = Epoch(rawValue: 4)
    static let start = ContinuousClock.now

    static func lane(_ phase: LaneState.Phase = .open, call: Int = 3, inFlight: Int = 2, queue: Int = 5) -> LaneState {
        LaneState(
            limits: .init(callOrdersMax: call, callsInFlightMax: inFlight, queueMax: queue), epoch: epoch, n: 7,
            phase: phase)
    }

    static func ticket(
        _ number: UInt64, _ purpose: Ticket.Purpose = .deduct, uncertain: Bool = false, seconds: Int = 3
    ) -> Ticket {
        let order = Order(
            trustedFlow: FlowID(high: number, low: 0), bucket: BucketNumber(rawValue: 1),
            sortedLines: [OrderLine(sku: SKUNumber(rawValue: 1), quantity: 1)])
        let ticket = Ticket(
            order: order, purpose: purpose, askedAt: start, deadline: start + .seconds(seconds), resume: { _ in })
        if uncertain { ticket.uncertainty = .replyLost }
        return ticket
    }

    struct NothingToSend: Error {}

    static func next(_ lane: inout LaneState) throws -> LaneState.Call {
        guard let call = lane.nextCall() else { throw NothingToSend() }
        return call
    }

    static func numbers(_ tickets: [Ticket]) -> [UInt64] { tickets.map(\.order.flow.high) }

    @Test("what waits goes into the next call, as many as fit, and two calls are under way at most")
    func calls() throws {
        var lane = Self.lane()
        for number in 1...5 { #expect(lane.admit(Self.ticket(UInt64(number))) == nil) }
        let first = try Self.next(&lane)
        #expect(Self.numbers(first.tickets) == [1, 2, 3])
        #expect(first.epoch == Self.epoch && first.n == 7 && first.purpose == .deduct)
        let taken1 = try Self.next(&lane)
        #expect(Self.numbers(taken1.tickets) == [4, 5])
        #expect(lane.admit(Self.ticket(6)) == nil)
        #expect(lane.nextCall() == nil)
        lane.answered(n: 9, epoch: Self.epoch)
        // Less than half a call waits, and one is under way: it waits for that one.
        #expect(lane.nextCall() == nil)
        lane.answered(n: 8, epoch: Self.epoch)
        let third = try Self.next(&lane)
        #expect(Self.numbers(third.tickets) == [6] && third.n == 9)
        #expect(lane.nextCall() == nil && lane.waiting == 0)
    }

    @Test("give-backs go first and are not mixed with orders")
    func releasesFirst() throws {
        var lane = Self.lane()
        for number in 1...2 { #expect(lane.admit(Self.ticket(UInt64(number))) == nil) }
        #expect(lane.admit(Self.ticket(8, .release)) == nil)
        let call = try Self.next(&lane)
        #expect(call.purpose == .release && Self.numbers(call.tickets) == [8])
        let taken4 = try Self.next(&lane)
        #expect(taken4.purpose == .deduct)
    }

    @Test("a full queue turns first attempts away, never what is uncertain")
    func overloaded() {
        var lane = Self.lane(inFlight: 0)
        for number in 1...5 { #expect(lane.admit(Self.ticket(UInt64(number))) == nil) }
        #expect(lane.admit(Self.ticket(6)) == .overloaded)
        #expect(lane.admit(Self.ticket(7, uncertain: true)) == nil)
        #expect(lane.waiting == 6)
    }

    @Test(
        "a stopped bucket refuses first attempts and keeps the uncertain ones and the give-backs",
        arguments: [
            (LaneState.Phase.unreachable, Refusal.unreachable), (.fenced(.lineage), .fenced),
            (.fenced(.recovering), .fenced), (.opening, .fenced),
        ])
    func stopped(phase: LaneState.Phase, refusal: Refusal) {
        var lane = Self.lane(phase)
        #expect(lane.admit(Self.ticket(1)) == refusal)
        #expect(lane.admit(Self.ticket(2, uncertain: true)) == nil)
        #expect(lane.admit(Self.ticket(3, .release)) == nil)
        #expect(Self.numbers(lane.parked) == [2, 3])
        #expect(lane.nextCall() == nil)
    }

    @Test("a fence refuses what was asked first and parks the rest, in flight and queued")
    func fenced() throws {
        var lane = Self.lane(call: 2)
        for number in 1...2 { #expect(lane.admit(Self.ticket(UInt64(number), uncertain: number == 2)) == nil) }
        let call = try Self.next(&lane)
        for number in 3...4 { #expect(lane.admit(Self.ticket(UInt64(number), uncertain: number == 4)) == nil) }
        #expect(lane.admit(Self.ticket(5, .release)) == nil)
        #expect(lane.turnAwayQueued().isEmpty)
        #expect(Self.numbers(lane.stopped(call.tickets, phase: .fenced(.lineage), epoch: Self.epoch)) == [1])
        #expect(Self.numbers(lane.turnAwayQueued()) == [3])
        #expect(Set(Self.numbers(lane.parked)) == [2, 4, 5])
        lane.stop(.unreachable)
        #expect(lane.phase == .fenced(.lineage))
    }

    @Test("a lost call makes its orders uncertain and keeps them for the same flows to be asked again")
    func lost() throws {
        var lane = Self.lane()
        #expect(lane.admit(Self.ticket(1)) == nil)
        let call = try Self.next(&lane)
        lane.lost(call.tickets, epoch: Self.epoch)
        #expect(lane.phase == .unreachable && lane.inFlight == 0)
        #expect(lane.parked[0].uncertainty == .replyLost)
        lane.reopen(epoch: Self.epoch, n: 11)
        #expect(lane.isOpen && lane.n == 7)
        let taken2 = try Self.next(&lane)
        #expect(Self.numbers(taken2.tickets) == [1])
    }

    @Test("an answer of an older epoch stops nothing and moves nothing")
    func oldEpoch() throws {
        var lane = Self.lane()
        #expect(lane.admit(Self.ticket(1)) == nil)
        #expect(lane.admit(Self.ticket(2)) == nil)
        let old = try Self.next(&lane)
        lane.expectOpening(epoch: Epoch(rawValue: 5), n: 0)
        #expect(lane.phase == .opening && lane.n == 0)
        lane.reopen(epoch: Epoch(rawValue: 5), n: 3)
        #expect(Self.numbers(lane.stopped(old.tickets, phase: .fenced(.epoch), epoch: Self.epoch)) == [1, 2])
        #expect(lane.isOpen && lane.inFlight == 0)
        #expect(lane.admit(Self.ticket(3)) == nil)
        let call = try Self.next(&lane)
        #expect(call.epoch.rawValue == 5)
        lane.answered(n: 99, epoch: Self.epoch)
        #expect(lane.n == 0)
        lane.answered(n: 2, epoch: Epoch(rawValue: 5))
        #expect(lane.n == 2)
    }

    @Test("reopening under a new epoch asks what was parked again, give-backs first")
    func reopening() throws {
        var lane = Self.lane(.fenced(.noControl))
        for number in 1...2 { #expect(lane.admit(Self.ticket(UInt64(number), uncertain: true)) == nil) }
        #expect(lane.admit(Self.ticket(3, .release)) == nil)
        lane.reopen(epoch: Epoch(rawValue: 9), n: 4)
        #expect(lane.epoch.rawValue == 9 && lane.n == 4 && lane.parked.isEmpty)
        let taken3 = try Self.next(&lane)
        #expect(Self.numbers(taken3.tickets) == [3])
        let call = try Self.next(&lane)
        #expect(Self.numbers(call.tickets) == [1, 2] && call.epoch.rawValue == 9 && call.n == 4)
    }

    @Test("only parked orders expire, each at its own time")
    func expiry() {
        var lane = Self.lane(.unreachable)
        #expect(lane.admit(Self.ticket(1, uncertain: true, seconds: 1)) == nil)
        #expect(lane.admit(Self.ticket(2, .release, seconds: 3)) == nil)
        #expect(lane.expire(now: Self.start).isEmpty)
        #expect(Self.numbers(lane.expire(now: Self.start + .seconds(1))) == [1])
        #expect(Self.numbers(lane.parked) == [2])
        #expect(Self.numbers(lane.expire(now: Self.start + .seconds(4))) == [2])
        #expect(lane.waiting == 0)
    }

    @Test("ended, it is empty and takes nothing in any more")
    func end() {
        var lane = Self.lane()
        #expect(lane.admit(Self.ticket(1)) == nil)
        #expect(lane.admit(Self.ticket(2, .release)) == nil)
        lane.park(Self.ticket(3, uncertain: true))
        #expect(Set(Self.numbers(lane.end())) == [1, 2, 3])
        #expect(lane.waiting == 0 && lane.nextCall() == nil)
        #expect(lane.admit(Self.ticket(4)) == .unreachable)
        #expect(lane.admit(Self.ticket(5, uncertain: true)) == .unreachable)
        lane.park(Self.ticket(6, uncertain: true))
        #expect(Self.numbers(lane.turnAwayQueued()) == [6])
    }
}
