import Deduction
public import Inventory
import OrderStore
import Reconciliation
import Redis

/// Finishes what nobody works on, as a running sale does: the outboxes' way into SQL, give-backs and restocks, half-done orders, late
/// payments, abandoned recoveries, acts that were missed, reservations whose time is over.
///
/// It runs the very workers of a sale. Each of them writes once whatever somebody else writes too (an entry is settled once, a row moves
/// by compare and set, Redis dedupes by flow and number), so it may run beside a sale that lives after all.
struct BacklogSettler {
    /// How long nothing may move before it gives up.
    static let stallPatience = Duration.seconds(10)
    /// Finished work makes new work (a drained cancellation is a give-back): this often at most.
    static let roundsMax = 8
    /// How far this machine's clock and Redis's may lie apart for reservations to be ended by them.
    static let clocksApartMillisecondsMax: Int64 = 2_000

    let service: SaleService
    private let clock: SaleClock

    init(_ service: SaleService) {
        self.service = service
        clock = service.clock
    }

    /// Works until nothing waits, or nothing moves any more.
    func settle() async throws -> SettledBacklog {
        // Workers of its own: an engine that has ended takes nothing in any more, and a second settling needs another.
        let workers = try await SaleService(
            cluster: service.cluster, store: service.store, scripts: service.scripts, clock: clock,
            events: service.events)
        let sweeper = await clocksAgree() ? believingSweeper() : nil
        // Before anybody drains: what is drained is trimmed a moment later, and nobody could say how much it was.
        let first = try await service.backlog()
        let firstLoad = await service.load(of: first)
        let result: Result<SettledBacklog, any Error> = await withTaskGroup(of: Void.self) { group in
            group.addTask { await workers.engine.run() }
            group.addTask { await workers.supervisor.run() }
            group.addTask { await workers.worker.run() }
            group.addTask { await workers.actKeeper.run() }
            group.addTask { await workers.giveBacks.run() }
            group.addTask { await workers.halfDone.run() }
            group.addTask { await workers.latePayments.run() }
            let result: Result<SettledBacklog, any Error>
            do {
                var settled = try await rounds(first, firstLoad, workers.supervisor, sweeper)
                settled.sweeps = sweeper != nil
                settled.storeError = workers.worker.status.lastError ?? workers.engine.storeError
                result = .success(settled)
            } catch {
                result = .failure(error)
            }
            group.cancelAll()
            await group.waitForAll()
            return result
        }
        return try result.get()
    }

    private func rounds(
        _ first: Backlog, _ firstLoad: OutboxLoad, _ supervisor: RecoverySupervisor, _ sweeper: ReservationSweeper?
    ) async throws -> SettledBacklog {
        var settled = SettledBacklog()
        for round in 0..<Self.roundsMax {
            // What is drained may be a reservation whose time is over; what is expired is a give-back.
            settled.expired += try await sweeper?.sweepAll() ?? 0
            let present = try await service.backlog()
            let target = round == 0 && !first.isEmpty ? first : present
            if target.isEmpty { break }
            let load = round == 0 ? firstLoad : await service.load(of: target)
            for (bucket, epoch) in target.recovering { supervisor.report(bucket, epoch: epoch, reason: .recovering) }
            let rest = try await wait(for: target)
            settled.add(target, load: load, without: rest, restLoad: await service.load(of: rest))
            if !rest.isEmpty {
                settled.left = rest
                break
            }
        }
        return settled
    }

    /// Waits until a backlog is done; returns what is left of it once nothing of it has moved for long.
    private func wait(for target: Backlog) async throws -> Backlog {
        var best = target.size
        var movedAt = clock.now
        while true {
            let rest = target.remaining(in: try await service.backlog())
            if rest.isEmpty || Task.isCancelled { return rest }
            if rest.size < best {
                best = rest.size
                movedAt = clock.now
            }
            if clock.now - movedAt >= Self.stallPatience { return rest }
            try await clock.sleep(for: SaleService.lookPause)
        }
    }

    // MARK: Reservations whose time is over

    /// A sweeper that believes the wall clock at once. A running sale's does not; there a clock that jumps ends what was promised to last.
    private func believingSweeper() -> ReservationSweeper {
        var configuration = ReservationSweeper.Configuration()
        configuration.jumpHold = .zero
        return ReservationSweeper(store: service.store, configuration: configuration, clock: clock)
    }

    /// Whether every master's clock says what this machine's does: then neither has jumped alone.
    private func clocksAgree() async -> Bool {
        let answers = await service.cluster.onEachMaster(RedisCommand("TIME"), deadline: clock.now + .seconds(1))
        let own = Int64(clock.unixMilliseconds)
        return !answers.isEmpty
            && answers.allSatisfy { answer in
                guard case .success(let reply) = answer.result,
                    let seconds = reply.array?.first?.string.flatMap({ Int64($0) })
                else { return false }
                return abs(seconds * 1_000 + 500 - own) <= Self.clocksApartMillisecondsMax
            }
    }
}

/// What a settling did.
public struct SettledBacklog: Sendable {
    /// What was taken to where it belongs.
    public private(set) var done = Backlog()
    public private(set) var load = OutboxLoad()
    /// What is left: nothing of it moved any more.
    public internal(set) var left = Backlog()
    /// Reservations that were ended because their time was over.
    public internal(set) var expired: Int64 = 0
    /// Whether reservations were looked at: not where this machine's clock and Redis's disagree.
    public internal(set) var sweeps = true
    /// What SQL last refused.
    public internal(set) var storeError: String?

    mutating func add(_ target: Backlog, load: OutboxLoad, without rest: Backlog, restLoad: OutboxLoad) {
        self.load.orders += load.orders - restLoad.orders
        self.load.units += load.units - restLoad.units
        for (bucket, outbox) in target.outboxes {
            let end = rest.outboxes[bucket]?.drained ?? outbox.end
            let begin = done.outboxes[bucket]?.drained ?? outbox.drained
            done.outboxes[bucket] = .init(drained: begin, end: end)
        }
        done.giveBacks.formUnion(target.giveBacks.subtracting(rest.giveBacks))
        done.restocks.formUnion(target.restocks.subtracting(rest.restocks))
        done.halfDone.formUnion(target.halfDone.subtracting(rest.halfDone))
        done.payments += target.payments - rest.payments
        done.recovering.merge(target.recovering.filter { rest.recovering[$0.key] == nil }) { first, _ in first }
        done.missedActs.formUnion(target.missedActs.subtracting(rest.missedActs))
    }

    /// Takes in what a later settling did; what is left is what it left.
    public mutating func add(_ later: SettledBacklog) {
        add(later.done, load: later.load, without: Backlog(), restLoad: OutboxLoad())
        left = later.left
        expired += later.expired
        sweeps = later.sweeps
        storeError = later.storeError
    }

    /// What was done, in one line; `nil`: nothing.
    public var sentence: String? {
        var parts = done.parts(load)
        if expired > 0 { parts.append("\(expired.counted("reservation")) whose time was over") }
        return parts.isEmpty ? nil : "settled \(parts.asList) that nobody worked on"
    }

    /// What could not be done, in one line; `nil`: everything was.
    public var leftSentence: String? {
        left.isEmpty
            ? nil
            : "not settled: \(left.parts(nil).asList) did not move for \(BacklogSettler.stallPatience.formatted)"
                + (storeError.map { "; SQL says: \($0)" } ?? "")
    }

    /// Why reservations were not looked at; `nil`: they were.
    public var sweepSentence: String? {
        sweeps
            ? nil
            : "no reservation was ended: this machine's clock and Redis's lie more than "
                + "\(Duration.milliseconds(BacklogSettler.clocksApartMillisecondsMax).formatted) apart, or a server does not answer"
    }
}

extension SaleService {
    /// Finishes what is on its way and nobody takes there, with a record of it in SQL.
    public func settleBacklog() async throws -> SettledBacklog {
        let settled = try await BacklogSettler(self).settle()
        if let sentence = settled.sentence {
            await control.record(
                what: "settle backlog", subject: "sale", before: "nobody worked on it",
                after: sentence + (settled.leftSentence.map { "; \($0)" } ?? ""))
        }
        return settled
    }
}
