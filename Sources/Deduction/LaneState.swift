import Inventory

/// The combiner of one bucket, as a value: who waits, what is under way, whether anything may be sent. It does no I/O; the
/// engine obeys what it returns.
///
/// What waits goes into the next call; a call never waits for a batch to fill. Another call goes out beside one that is under way
/// only where enough waits to make it half full: then the server works on it while the client reads the first, and where
/// less waits the next call is the larger for it, which is cheaper for the server.
struct LaneState {
    struct Limits: Sendable {
        /// Orders in one call.
        var callOrdersMax = 512
        /// Calls of one bucket under way.
        var callsInFlightMax = 2
        /// Orders waiting for one bucket; beyond it callers hear `overloaded`.
        var queueMax = 16_384
    }

    enum Phase: Equatable {
        case open
        /// The node does not answer; it is probed.
        case unreachable
        /// The data is not to be trusted, or is being recovered: waiting for a newer epoch in SQL.
        case fenced(FenceReason)
        /// SQL says open under our epoch; Redis has yet to say so.
        case opening
    }

    let limits: Limits
    private(set) var phase: Phase
    private(set) var epoch: Epoch
    /// The highest n seen in this epoch.
    private(set) var n: Int64
    private(set) var inFlight = 0
    private var deducts: TicketQueue
    private var releases: TicketQueue
    /// Attempts of unknown outcome, and releases, that wait for the bucket to answer again.
    private(set) var parked: [Ticket] = []
    /// The engine has ended: nobody would answer what is taken in.
    private(set) var isEnded = false

    init(limits: Limits, epoch: Epoch, n: Int64, phase: Phase) {
        self.limits = limits
        deducts = TicketQueue(portionMax: max(1, limits.callOrdersMax))
        releases = deducts
        self.epoch = epoch
        self.n = n
        self.phase = phase
    }

    var waiting: Int { deducts.count + releases.count + parked.count }
    var isOpen: Bool { phase == .open }

    /// Takes a ticket in, or says why not. Only a first attempt can be turned away.
    mutating func admit(_ ticket: Ticket) -> Refusal? {
        if isEnded { return .unreachable }
        switch phase {
        case .open: break
        case .unreachable:
            if ticket.purpose == .deduct && ticket.uncertainty == nil { return .unreachable }
            parked.append(ticket)
            return nil
        case .fenced(.halted): return .halted
        case .fenced, .opening:
            if ticket.purpose == .deduct && ticket.uncertainty == nil { return .fenced }
            parked.append(ticket)
            return nil
        }
        guard waiting < limits.queueMax || ticket.uncertainty != nil else { return .overloaded }
        enqueue(ticket)
        return nil
    }

    private mutating func enqueue(_ ticket: Ticket) {
        switch ticket.purpose {
        case .deduct: deducts.append(ticket)
        case .release: releases.append(ticket)
        }
    }

    struct Call {
        let purpose: Ticket.Purpose
        let epoch: Epoch
        let n: Int64
        let tickets: [Ticket]
    }

    /// The next call to send, if one may be sent and something waits. Give-backs go first: they free stock.
    mutating func nextCall() -> Call? {
        guard phase == .open, !isEnded, inFlight < limits.callsInFlightMax else { return nil }
        if inFlight > 0, releases.isEmpty, deducts.count < (limits.callOrdersMax + 1) / 2 { return nil }
        let purpose: Ticket.Purpose = releases.isEmpty ? .deduct : .release
        let tickets = purpose == .release ? releases.takeFirst() : deducts.takeFirst()
        guard !tickets.isEmpty else { return nil }
        inFlight += 1
        return Call(purpose: purpose, epoch: epoch, n: n, tickets: tickets)
    }

    /// A call came back with an answer from behind the fence.
    mutating func answered(n answeredN: Int64, epoch answeredEpoch: Epoch) {
        inFlight -= 1
        if answeredEpoch == epoch { n = max(n, answeredN) }
    }

    /// A call came back and nothing of it was done; the lane stops. Returns the tickets to refuse; the others are parked.
    mutating func stopped(_ tickets: [Ticket], phase next: Phase, epoch callEpoch: Epoch) -> [Ticket] {
        inFlight -= 1
        // An answer to a call of an older epoch says nothing about the present one: ask again.
        if callEpoch == epoch { stop(next) }
        return turnAway(tickets)
    }

    /// A call was sent and nobody knows what became of it.
    mutating func lost(_ tickets: [Ticket], epoch callEpoch: Epoch) {
        inFlight -= 1
        if callEpoch == epoch { stop(.unreachable) }
        for ticket in tickets {
            ticket.uncertainty = .replyLost
            park(ticket)
        }
    }

    /// Stops the lane. A fence is not undone by a mere loss of the connection.
    mutating func stop(_ next: Phase) {
        if case .fenced = phase, next == .unreachable { return }
        phase = next
    }

    /// Everything that still waits in the queues of a stopped lane: first attempts to refuse. The rest is parked; of a lane
    /// that has ended, nothing is.
    mutating func turnAwayQueued() -> [Ticket] {
        if isEnded { return end() }
        guard !isOpen else { return [] }
        return turnAway(releases.takeAll() + deducts.takeAll())
    }

    private mutating func turnAway(_ tickets: [Ticket]) -> [Ticket] {
        var refused: [Ticket] = []
        for ticket in tickets {
            if ticket.uncertainty == nil && ticket.purpose == .deduct {
                refused.append(ticket)
            } else {
                park(ticket)
            }
        }
        return refused
    }

    /// Keeps a ticket to be asked again. The lane may have reopened while its call was under way: then it is asked at once,
    /// for nobody would look at an open lane's parked tickets.
    mutating func park(_ ticket: Ticket) {
        if isOpen { enqueue(ticket) } else { parked.append(ticket) }
    }

    /// The bucket answers under `epoch` again: what was parked is asked once more, with the same flows.
    mutating func reopen(epoch newEpoch: Epoch, n newN: Int64) {
        if newEpoch != epoch { n = newN }
        epoch = newEpoch
        phase = .open
        for ticket in parked { enqueue(ticket) }
        parked.removeAll()
    }

    /// SQL says that somebody opened the bucket under `epoch`; Redis is asked before anything is sent.
    mutating func expectOpening(epoch newEpoch: Epoch, n newN: Int64) {
        epoch = newEpoch
        n = newN
        phase = .opening
    }

    /// Takes out the parked tickets whose time is over.
    mutating func expire(now: ContinuousClock.Instant) -> [Ticket] {
        guard !parked.isEmpty else { return [] }
        let expired = parked.filter { $0.deadline <= now }
        if !expired.isEmpty { parked.removeAll { $0.deadline <= now } }
        return expired
    }

    /// Empties everything and takes nothing in any more: the engine ends.
    mutating func end() -> [Ticket] {
        isEnded = true
        defer { parked.removeAll() }
        return deducts.takeAll() + releases.takeAll() + parked
    }
}
