import Dashboard
import Foundation
import Inventory
import Lab
import Operations
import OrderStore
import Reconciliation
import Redis
import Synchronization
import Telemetry

/// Carries out what the screen asks for, off its thread, and sends the result back.
final class ActInterpreter: Sendable {
    private struct State {
        var floor: DemoFloor?
        var service: SaleService?
        var plans: [Int: RepairPlan] = [:]
        var nextPlan = 1
        /// The list of losers that the screen shows, under its id.
        var settling: (id: Int, plan: OversoldPlan)?
        /// The last list before an opening, and when it was gone through.
        var list: (report: PreflightReport, at: ContinuousClock.Instant)?
        /// The closing that is under way; another one takes its place.
        var closing: Task<Void, Never>?
    }

    private let mailbox: ScreenMailbox
    private let state = Mutex(State())

    init(mailbox: ScreenMailbox) { self.mailbox = mailbox }

    /// From now on acts have something to act on. Crashing needs the fleet, which only a demo has.
    func attach(service: SaleService, floor: DemoFloor?) {
        state.withLock {
            $0.service = service
            $0.floor = floor
        }
    }

    func interpret(_ effect: Effect) {
        let (service, floor) = state.withLock { ($0.service, $0.floor) }
        guard let service else {
            let sentence = "still starting; try again in a moment"
            if case .look(let look) = effect {
                mailbox.put(.seen(look, .failed("still starting")))
            } else if effect == .compare {
                mailbox.put(.planReady(PlanSummary(id: 0, lines: [], repairs: 0, sentence: sentence)))
            } else {
                mailbox.put(.actDone(ActReport(sentence: sentence, succeeded: false)))
            }
            return
        }
        Task.detached { [self] in await carryOut(effect, service, floor) }
    }

    private func carryOut(_ effect: Effect, _ service: SaleService, _ floor: DemoFloor?) async {
        switch effect {
        case .openSale(let buyers, let seconds): await open(buyers, seconds, service, floor)
        case .preflight:
            let list = await service.preflight { [mailbox] in mailbox.put(.preflight($0)) }
            state.withLock { $0.list = (list, .now) }
        case .overrideAndOpen(let name, let buyers, let seconds):
            await open(buyers, seconds, service, floor, overriddenBy: name)
        case .scheduleOpening(let time, let buyers, let seconds):
            await schedule(time, buyers, seconds, service, floor)
        case .cancelOpening:
            if !service.schedule.cancel() {
                done(SaleControl.Report(sentence: "nothing was to open by itself", succeeded: true))
            }
        case .closeSale(let expires): close(expires, service, floor)
        case .haltSale:
            // The brake takes an opening to come back, too.
            let wasToOpen = service.schedule.cancel()
            floor?.shoppers.leave()
            let isOpen = (try? await service.store.sale())??.state == .open
            if wasToOpen && !isOpen {
                done(
                    SaleControl.Report(sentence: "the opening was taken back: nothing opens by itself", succeeded: true)
                )
            } else {
                done(await service.control.halt())
            }
        case .setFrozen(let sku, let frozen): done(await service.control.setFrozen(sku, frozen))
        case .restock(let sku, let units):
            done(await restock(sku, units, service, floor), effect: .restock(sku, units: units))
        case .bulk(let id, let parts):
            // One after another: the screen names the parts by their order.
            for part in parts {
                let report =
                    switch part {
                    case .setFrozen(let sku, let frozen): await service.control.setFrozen(sku, frozen)
                    case .restock(let sku, let units): await restock(sku, units, service, floor)
                    }
                mailbox.put(.bulkStep(id: id, Self.told(report, part)))
            }
        case .look(let look): mailbox.put(.seen(look, await LookInterpreter(service: service).answer(look)))
        case .crash(let node):
            guard let floor else {
                done(SaleControl.Report(sentence: "only a demo's own fleet can be crashed", succeeded: false))
                return
            }
            // The screen's order is that of the slots; the fleet has its own.
            let addresses = service.cluster.status.map(\.address)
            let index =
                addresses.indices.contains(node) ? floor.fleet.index(at: addresses[node]) : nil
            done(await floor.crash(index ?? node))
        case .compare: await compare(service, floor)
        case .applyPlan(let id): await apply(id, service)
        case .planSettling(let policy): await planSettling(policy, service)
        case .applySettling(let id): await settle(id, service)
        case .quit, .suspend, .redraw, .bell, .previewTheme, .chooseTheme: break
        }
    }

    private func done(_ report: SaleControl.Report, effect: BulkPart? = nil) {
        mailbox.put(.actDone(Self.told(report, effect)))
    }

    private static func told(_ report: SaleControl.Report, _ part: BulkPart?) -> ActReport {
        ActReport(sentence: report.sentence, succeeded: report.succeeded, done: report.succeeded ? part : nil)
    }

    private func restock(
        _ sku: SKUNumber, _ units: Int64, _ service: SaleService, _ floor: DemoFloor?
    ) async -> SaleControl.Report {
        await service.control.restock(sku, units: units)
    }

    /// A list that was gone through longer ago says nothing about now.
    private static let listAgeMax = Duration.seconds(60)

    private var freshList: PreflightReport? {
        let now = ContinuousClock.now
        guard let list = state.withLock({ $0.list }), now - list.at <= Self.listAgeMax else { return nil }
        return list.report
    }

    private func open(
        _ buyers: Double?, _ seconds: Double?, _ service: SaleService, _ floor: DemoFloor?,
        overriddenBy name: String? = nil
    ) async {
        let isOpen = (try? await service.store.sale())??.state == .open
        if !isOpen {
            let known = freshList
            let list: PreflightReport
            if let known { list = known } else { list = await service.preflight() }
            state.withLock { $0.list = nil }
            let report = await service.control.open(after: list, overriddenBy: name)
            done(report)
            guard report.succeeded else { return }
            // Opened by hand: nothing is left to open by itself.
            service.schedule.cancel()
        }
        await sendBuyers(buyers, seconds, service, floor)
    }

    private func schedule(
        _ time: OpeningTime, _ buyers: Double?, _ seconds: Double?, _ service: SaleService, _ floor: DemoFloor?
    ) async {
        let moment = time.moment(
            now: WallClock.milliseconds, offset: TimeZone.current.secondsFromGMT())
        guard let report = await service.open(at: moment) else {
            done(SaleControl.Report(sentence: "the opening was taken back: nothing opens by itself", succeeded: true))
            return
        }
        done(report)
        if report.succeeded { await sendBuyers(buyers, seconds, service, floor) }
    }

    private func close(_ expires: Bool, _ service: SaleService, _ floor: DemoFloor?) {
        let task = Task.detached { [mailbox] in
            floor?.shoppers.leave()
            _ = await service.close(reservations: expires ? .expire : .wait, witness: floor) {
                mailbox.put(.closing($0))
            }
        }
        state.withLock { state in
            state.closing?.cancel()
            state.closing = task
        }
    }

    private func sendBuyers(_ buyers: Double?, _ seconds: Double?, _ service: SaleService, _ floor: DemoFloor?) async {
        guard let floor, let buyers else { return }
        service.events.add(
            .info,
            "\(Int(buyers).inGroups) buyers a second come for \(Int(seconds ?? 60)) s, three times as many at first")
        if await floor.sell(buyersPerSecond: buyers, seconds: seconds ?? 60) {
            service.events.add(.info, await Self.buyersGone(service))
        }
    }

    /// Somebody else may have halted or closed it meanwhile.
    private static func buyersGone(_ service: SaleService) async -> String {
        switch (try? await service.store.sale())??.state {
        case .open?: "the buyers have gone; the sale stays open until X halts it"
        case let state?: "the buyers have gone; the sale is \(state.rawValue)"
        case nil: "the buyers have gone"
        }
    }

    private func compare(_ service: SaleService, _ floor: DemoFloor?) async {
        // A demo works on its own sale.
        let before = floor == nil ? try? await service.backlog() : nil
        // Two cuts: what only one of them names is on its way, not wrong.
        let first = await service.compare(ledgers: true)
        let second = await service.compare(ledgers: true)
        let plan = RepairPlan(agreeing: first, second, catalogue: service.catalogue)
        let id = state.withLock { state in
            let id = state.nextPlan
            state.nextPlan += 1
            state.plans = [id: plan]
            return id
        }
        var lines = floor?.explanation ?? []
        lines += second.drifts.map(\.sentence)
        lines += plan.repairs.map { "→ \($0.effect)" }
        let inFlight = second.unitsByKind[.inFlight] ?? 0
        var unattended: Backlog?
        if let before { unattended = try? await service.unattended(before) }
        var sentence =
            second.driftUnits == 0
            ? "compared \(second.cuts.counted("bucket")) in \(second.duration.formatted): "
                + (unattended == nil ? "Redis and SQL agree to the unit" : "no drift")
            : "compared \(second.cuts.counted("bucket")): \(second.driftUnits.counted("unit")) differ, \(plan.repairs.count.counted("repair")) planned"
        if let floor, !floor.explanation.isEmpty {
            sentence += "; the buyers' record does not"
            for line in floor.explanation { service.events.add(.bad, line) }
        }
        if let unattended {
            sentence +=
                "; nobody sees \(unattended.parts(await service.load(of: unattended)).asList) through: sellout reconcile --repair does"
        } else if inFlight > 0 {
            sentence += "; \(inFlight.counted("unit")) \(inFlight == 1 ? "is" : "are") on the way"
        }
        if !second.unread.isEmpty { sentence += "; \(second.unread.count.counted("bucket")) could not be compared" }
        service.events.add(second.driftUnits == 0 && unattended == nil ? .good : .bad, sentence)
        await service.control.record(
            what: "compare", subject: "sale", before: "", after: "\(second.driftUnits.counted("unit")) of drift")
        mailbox.put(.planReady(PlanSummary(id: id, lines: lines, repairs: plan.repairs.count, sentence: sentence)))
    }

    private func apply(_ id: Int, _ service: SaleService) async {
        guard let plan = state.withLock({ $0.plans[id] }) else {
            done(SaleControl.Report(sentence: "that plan is gone; press R to compare again", succeeded: false))
            return
        }
        let applied = await service.apply(plan)
        let failed = applied.repairs.filter { $0.state == .failed }
        let sentence =
            failed.isEmpty
            ? "\(applied.repairs.count.counted("repair")) applied"
            : "\((applied.repairs.count - failed.count).counted("repair")) applied, \(failed.count) not: \(failed[0].failure ?? "")"
        service.events.add(failed.isEmpty ? .good : .bad, sentence)
        done(SaleControl.Report(sentence: sentence, succeeded: failed.isEmpty))
        _ = await service.compare()
    }

    // MARK: Oversold

    /// Orders that a dialog lists.
    private static let losersListed = 200

    private func planSettling(_ policy: SettlingPolicy, _ service: SaleService) async {
        do {
            let plan = try await service.oversoldPlan(policy: OversoldPolicy(rawValue: policy.rawValue) ?? .newestFirst)
            let id = state.withLock { state in
                let id = state.nextPlan
                state.nextPlan += 1
                state.settling = (id, plan)
                return id
            }
            mailbox.put(
                .settlingReady(
                    SettlingPlan(
                        id: id, policy: policy,
                        lines: plan.decisions.prefix(Self.losersListed).map { Self.line($0, service.catalogue) },
                        losers: plan.losers.count, takenIn: plan.takenIn.count)))
        } catch {
            done(SaleControl.Report(sentence: "who would lose is not known: \(error)", succeeded: false))
        }
    }

    /// One order of the list, on one line of most terminals.
    private static func line(_ decision: OversoldPlan.Decision, _ catalogue: Catalogue) -> String {
        let lines = decision.order.lines.map { "\($0.quantity) × \(catalogue[$0.sku]?.sku ?? "?")" }
            .joined(separator: ", ")
        let fate =
            switch (decision.fate, decision.wasOverCapacity) {
            case (.loses, true): "loses"
            case (.loses, false): "loses its reservation"
            case (.takenIn, _): "is taken in"
            }
        return "\(decision.order.flow)  \(lines), \(decision.isPaid ? "paid" : "not paid"): \(fate)"
    }

    /// Carries out the list that was shown; what has moved since is left as it is.
    private func settle(_ id: Int, _ service: SaleService) async {
        guard let plan = state.withLock({ $0.settling?.id == id ? $0.settling?.plan : nil }) else {
            done(SaleControl.Report(sentence: "that list is gone; O makes a new one", succeeded: false))
            return
        }
        state.withLock { $0.settling = nil }
        let failures = await service.apply(plan)
        let settled = plan.decisions.filter { failures[$0.order.bucket] == nil }
        var sentence =
            "settled: \(settled.count { $0.fate == .loses }.counted("order")) rolled back, "
            + "\(settled.count { $0.fate == .takenIn }) taken in"
        if let (bucket, why) = failures.min(by: { $0.key < $1.key }) {
            sentence += "; bucket \(service.catalogue[bucket]?.tag ?? "?"): \(why)"
        }
        service.events.add(failures.isEmpty ? .good : .bad, sentence)
        done(SaleControl.Report(sentence: sentence, succeeded: failures.isEmpty))
        _ = await service.compare()
    }
}
