import Inventory
import OrderStore
import Redis
import Synchronization
import Telemetry

/// What becomes of a call's orders once it is answered, or is not.
extension DeductionEngine {
    func handle(
        _ answer: ScriptAnswer, of call: LaneState.Call, sentAt: UInt64, positions: [Int], replicas: Int, lane: Lane
    ) {
        switch answer {
        case .done(let n, let results, let duplicates, let stocks):
            lane.state.withLock { state in
                state.answered(n: n, epoch: call.epoch)
                // Under the lock: what was said of an epoch must not be remembered beyond it.
                guard state.isOpen, state.epoch == call.epoch else { return }
                lane.refusals.hear(
                    stocks: stocks, positions: positions, of: call, results: results, at: sentAt)
                if call.purpose == .release { lane.refusals.forgetLimits() }
            }
            // The next call leaves before this one's callers are told: the server must not wait for them.
            pump(lane)
            let id = OutboxID(epoch: call.epoch, n: n)
            switch call.purpose {
            case .deduct:
                deliverDeductions(
                    call, id: id, results: results, duplicates: duplicates, replicas: replicas, lane: lane)
            case .release: deliverReleases(call, id: id, results: results)
            }
        case .fenced(let reason, let epoch): stop(call, reason: reason, epoch: epoch, lane: lane, sentAt: sentAt)
        case .unreadable: stop(call, reason: .scriptFailed, epoch: nil, lane: lane, sentAt: sentAt)
        }
    }

    func handle(_ error: RedisError, of call: LaneState.Call, lane: Lane) {
        switch (error.outcome, error.kind) {
        case (.unknown, .scriptFailed):
            // Something in the bucket made the script raise. It may have written its outbox entry before.
            lane.state.withLock { $0.lost(call.tickets, epoch: call.epoch) }
            fence(lane, reason: .scriptFailed, seenUnder: call.epoch)
        case (.unknown, _):
            lane.state.withLock { $0.lost(call.tickets, epoch: call.epoch) }
        case (.refused, .wrongType):
            stop(call, reason: .scriptFailed, epoch: nil, lane: lane, sentAt: 0)
        case (.refused, _), (.notSent, _):
            let refused = lane.state.withLock { $0.stopped(call.tickets, phase: .unreachable, epoch: call.epoch) }
            for ticket in refused { answerRefused(ticket, .unreachable) }
        }
        refuseQueued(lane, .unreachable)
        pump(lane)
    }

    private func stop(
        _ call: LaneState.Call, reason told: FenceReason, epoch: Epoch?, lane: Lane, sentAt: UInt64
    ) {
        // SQL names an epoch open only after Redis was closed under it: an older one in Redis is a rollback.
        let reason = if told == .epoch, let epoch, epoch < call.epoch { FenceReason.behind } else { told }
        if let refusal = reason.passingRefusal {
            // Nothing was taken, and nothing is wrong with the bucket: answer, and let the next call ask again.
            lane.state.withLock { state in
                state.answered(n: 0, epoch: .none)
                if refusal == .halted, call.purpose == .deduct, state.isOpen {
                    lane.refusals.hearHalted(at: sentAt)
                }
            }
            pump(lane)
            for ticket in call.tickets { answerRefused(ticket, refusal) }
            return
        }
        let next: LaneState.Phase =
            switch reason {
            case .recovering: .opening
            case .replica: .unreachable
            default: .fenced(reason)
            }
        let refused = lane.state.withLock { $0.stopped(call.tickets, phase: next, epoch: call.epoch) }
        // Reported before anybody is answered: whoever hears "fenced" may rely on the bucket's recovery having been asked for.
        if reason == .replica { cluster.reroute(slot: lane.keys.slot) }
        if reason.needsRecovery { fence(lane, reason: reason, seenUnder: call.epoch) }
        for ticket in refused { answerRefused(ticket, .fenced) }
        refuseQueued(lane, .fenced)
        pump(lane)
    }

    func refuseQueued(_ lane: Lane, _ refusal: Refusal) {
        for ticket in lane.state.withLock({ $0.turnAwayQueued() }) { answerRefused(ticket, refusal) }
    }

    /// Stops a lane and reports its bucket, unless the bucket has a newer epoch than what was seen of it: an answer that comes
    /// late says nothing about what was rebuilt since.
    func fence(_ lane: Lane, reason: FenceReason, seenUnder epoch: Epoch) {
        let n: Int64? = lane.state.withLock { state in
            guard state.epoch == epoch else { return nil }
            state.stop(.fenced(reason))
            return state.n
        }
        guard let n else { return }
        meter.add { $0.fences += 1 }
        onFence(Fence(bucket: lane.bucket.number, epoch: epoch, n: n, reason: reason))
    }

    // MARK: Deductions

    private func deliverDeductions(
        _ call: LaneState.Call, id: OutboxID, results: [UInt8], duplicates: [Int: Int64], replicas: Int,
        lane: Lane
    ) {
        guard results.count == call.tickets.count else {
            lane.state.withLock { state in
                for ticket in call.tickets {
                    ticket.uncertainty = .replyLost
                    state.park(ticket)
                }
            }
            fence(lane, reason: .scriptFailed, seenUnder: call.epoch)
            return
        }
        let allDone = results.allSatisfy { $0 == UInt8(ascii: "D") }
        var done: [Ticket] = allDone ? call.tickets : []
        var repeated: [(ticket: Ticket, id: OutboxID)] = []
        for (position, ticket) in call.tickets.enumerated() where !allDone {
            switch results[position] {
            case UInt8(ascii: "D"): done.append(ticket)
            case UInt8(ascii: "d"):
                repeated.append((ticket, OutboxID(epoch: call.epoch, n: duplicates[position] ?? 0)))
            case UInt8(ascii: "S"): answerRefused(ticket, .soldOut)
            case UInt8(ascii: "F"): answerRefused(ticket, .frozen)
            case UInt8(ascii: "C"): answerRefused(ticket, .conflict)
            case UInt8(ascii: "X"): answerRefused(ticket, .cancelled)
            case UInt8(ascii: "L"): answerRefused(ticket, .limit)
            case UInt8(ascii: "O"): oldFlows.ask(ticket.order) { [self] in tellTruth($0, to: ticket, lane: lane) }
            default: answerUnknown(ticket, .replyLost)
            }
        }
        guard durability == .durable else {
            return promise(done, repeated.map(\.ticket), epoch: call.epoch, replicas: replicas, lane: lane)
        }
        var items: [GroupCommit.Item] = []
        if !done.isEmpty {
            let done = done
            let entry = EntrySettlement(
                bucket: call.tickets[0].order.bucket, id: id, action: .deduct(done.map(\.order)))
            items.append(
                .entry(entry, orders: done.count) { [self] result in
                    settled(done, result: result, epoch: id.epoch, lane: lane)
                })
        }
        for (ticket, entryID) in repeated {
            items.append(
                .duplicate(DuplicateSettlement(order: ticket.order, id: entryID)) { [self] result in
                    switch result {
                    case .settled(let settlement): deliver(settlement, to: ticket, duplicate: true, lane: lane)
                    case .stale: askAgain([ticket], epoch: call.epoch, lane: lane)
                    case nil: answerUnknown(ticket, .storeFailed)
                    }
                })
        }
        if !items.isEmpty { commits.add(items) }
    }

    /// What SQL says of an order that is older than any ledger entry. No lost attempt can run any more, so a "no" is final.
    private func tellTruth(_ truth: OldFlowDesk.Truth, to ticket: Ticket, lane: Lane) {
        switch truth {
        case .recorded(let settlement): deliver(settlement, to: ticket, duplicate: true, lane: lane)
        case .absent: answerFinally(ticket, .tooOld)
        case .unanswered: answerUnknown(ticket, .storeFailed)
        }
    }

    private func settled(_ tickets: [Ticket], result: EntryResult?, epoch: Epoch, lane: Lane) {
        switch result {
        case .settled(let exceptions), .already(let exceptions):
            // Taken a second time, for the ledger had lost the first: the buyer's yes stands, the bucket is to be rebuilt.
            if exceptions.values.contains(.committed) { fence(lane, reason: .damaged, seenUnder: epoch) }
            guard !exceptions.isEmpty else {
                answerDone(tickets, duplicate: false)
                return
            }
            answerDone(tickets.filter { exceptions[$0.order.flow] == nil }, duplicate: false)
            for ticket in tickets {
                guard let exception = exceptions[ticket.order.flow] else { continue }
                deliver(exception, to: ticket, duplicate: exception == .committed, lane: lane)
            }
        case .stale: askAgain(tickets, epoch: epoch, lane: lane)
        case nil: for ticket in tickets { answerUnknown(ticket, .storeFailed) }
        }
    }

    /// SQL's word on an order that Redis took. It is final: SQL voided what it refuses, so no retry can turn it into a yes.
    private func deliver(_ settlement: OrderSettlement, to ticket: Ticket, duplicate: Bool, lane: Lane) {
        switch settlement {
        case .committed: answerDone([ticket], duplicate: duplicate)
        case .conflict: answerFinally(ticket, .conflict)
        case .cancelled: answerFinally(ticket, .cancelled)
        case .overCapacity:
            // A duplicate's order was found beyond capacity before, and its bucket rebuilt then.
            if !duplicate { fence(lane, reason: .unbalanced, seenUnder: lane.state.withLock { $0.epoch }) }
            answerFinally(ticket, .overCapacity)
        case .partial: ticket.answer(.groupRecorded)
        }
    }

    /// Taken in Redis, but the epoch ended before SQL heard of it: the recovery may or may not have found it in the outbox.
    private func askAgain(_ tickets: [Ticket], epoch: Epoch, lane: Lane) {
        lane.state.withLock { state in
            for ticket in tickets {
                ticket.uncertainty = .epochEnded
                state.park(ticket)
            }
            // SQL takes nothing more under this epoch, even if Redis still does: wait for the next one. Where the lane has
            // moved on meanwhile it is looked at once more, as parked tickets are asked again when it reopens.
            if state.isOpen { state.stop(state.epoch == epoch ? .fenced(.epoch) : .unreachable) }
        }
        refuseQueued(lane, .unreachable)
    }

    func answerDone(_ tickets: [Ticket], duplicate: Bool) {
        guard let first = tickets.first else { return }
        // An order over several buckets is counted once, by whoever puts its groups together.
        let count = tickets.count { $0.order.wide == nil }
        meter.add { $0.acknowledged += Int64(count) }
        // The first waited longest; one sample a call keeps the clock out of the hot path.
        if count > 0 { meter.latency.record(first.askedAt.duration(to: clock.now), count: count) }
        for ticket in tickets { ticket.answer(.deduction(.done(duplicate: duplicate))) }
    }

    /// A "no". After an unknown attempt it is not final before the order is cancelled: the lost call may still run.
    func answerRefused(_ ticket: Ticket, _ refusal: Refusal) {
        switch ticket.purpose {
        case .release: ticket.answer(.release(.unknown))
        case .deduct:
            if let uncertainty = ticket.uncertainty, refusal != .cancelled, refusal != .conflict {
                answerUnknown(ticket, uncertainty)
            } else {
                answerFinally(ticket, refusal)
            }
        }
    }

    private func answerFinally(_ ticket: Ticket, _ refusal: Refusal) {
        if ticket.order.wide == nil { meter.add { $0.refused[refusal, default: 0] += 1 } }
        ticket.answer(.deduction(.refused(refusal)))
    }

    func answerUnknown(_ ticket: Ticket, _ uncertainty: Uncertainty) {
        switch ticket.purpose {
        case .release: ticket.answer(.release(.unknown))
        case .deduct:
            if ticket.order.wide == nil { meter.add { $0.unknown += 1 } }
            ticket.answer(.deduction(.unknown(ticket.uncertainty ?? uncertainty)))
        }
    }

    // MARK: Releases

    private func deliverReleases(_ call: LaneState.Call, id: OutboxID, results: [UInt8]) {
        var givenBack: [Ticket] = []
        var tombstones: [Ticket] = []
        var others: [(Ticket, ReleaseOutcome)] = []
        for (position, ticket) in call.tickets.enumerated() {
            switch position < results.count ? results[position] : 0 {
            case UInt8(ascii: "R"): givenBack.append(ticket)
            case UInt8(ascii: "T"): tombstones.append(ticket)
            case UInt8(ascii: "r"): others.append((ticket, .already(id)))
            case UInt8(ascii: "C"): others.append((ticket, .conflict(id)))
            default: others.append((ticket, .unknown))
            }
        }
        for (ticket, outcome) in others { ticket.answer(.release(outcome)) }
        guard !givenBack.isEmpty || !tombstones.isEmpty else { return }
        meter.add { $0.released += Int64(givenBack.count) }
        let entry = EntrySettlement(
            bucket: call.tickets[0].order.bucket, id: id,
            action: .release(givenBack: givenBack.map(\.order), tombstones: tombstones.map(\.order)))
        let deliver = { @Sendable [givenBack, tombstones] in
            for ticket in givenBack { ticket.answer(.release(.givenBack(id))) }
            for ticket in tombstones { ticket.answer(.release(.tombstone(id))) }
        }
        // Redis has it; SQL learns it here, or from the outbox if this commit fails.
        commits.add([.entry(entry, orders: givenBack.count + tombstones.count) { _ in deliver() }])
    }
}
