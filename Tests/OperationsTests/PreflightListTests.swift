import Deduction
import Inventory
import OrderStore
import Reconciliation
import SaleRig
import Synchronization
import Telemetry
import Testing

@testable import Operations

/// The verdict on each item before an opening, as values.
@Suite("The list before an opening")
struct PreflightListTests {
    static let all: [Durability] = [.memory, .aof, .replicated(1), .durable]

    func isBad(_ verdict: PreflightReport.Verdict) -> Bool? {
        switch verdict {
        case .bad(_, let mayBeOverridden): mayBeOverridden
        case .ok, .waiting: nil
        }
    }

    @Test("GO only once every item is well; one that must not be overridden decides for all")
    func decisions() {
        var list = PreflightReport()
        #expect(list.decision == .deciding && list.current == .servers)
        for item in PreflightReport.Item.allCases.dropLast() { list.decide(item, .ok("")) }
        #expect(list.decision == .deciding && list.current == .clock)
        list.decide(.clock, .ok(""))
        #expect(list.decision == .go && list.reasons.isEmpty)
        list.decide(.memory, .bad("too little", mayBeOverridden: true))
        #expect(list.decision == .noGo(mayBeOverridden: true))
        list.decide(.durability, .bad("no file", mayBeOverridden: false))
        #expect(list.decision == .noGo(mayBeOverridden: false))
        #expect(list.sentence == "NO-GO: too little (and 1 more)")
    }

    @Test("what Redis has too much of may be sold over at durable alone, where SQL has the last word", arguments: all)
    func drift(_ durability: Durability) {
        let rules = Preflight(durability: durability)
        #expect(isBad(rules.drift(units: 0, cuts: 3, unread: 0, first: nil)) == nil)
        #expect(isBad(rules.drift(units: 7, cuts: 3, unread: 0, first: "x")) == (durability == .durable))
        #expect(isBad(rules.drift(units: 0, cuts: 3, unread: 1, first: nil)) == (durability == .durable))
        var count = Preflight.StockCount()
        count.buckets = 3
        #expect(isBad(rules.stock(count)) == nil)
        count.differing = 2
        #expect(isBad(rules.stock(count)) == (durability == .durable))
        count.unloaded = 1
        #expect(isBad(rules.stock(count)) == true)
        count.stranger = "another sale's"
        #expect(isBad(rules.stock(count)) == false)
    }

    @Test("a yes that would not be worth its word is never overridden", arguments: all)
    func promises(_ durability: Durability) {
        let rules = Preflight(durability: durability)
        func verdict(_ node: NodeFacts, commit: Double? = 3) -> PreflightReport.Verdict {
            rules.promise(
                [node], rules.findings([node]), commitMilliseconds: commit, failure: commit == nil ? "read-only" : nil)
        }
        #expect(isBad(verdict(node())) == nil)
        #expect(isBad(verdict(node(), commit: nil)) == false)
        let noFile = verdict(node { $0.hasAOF = false })
        #expect(isBad(noFile) == (durability == .aof ? false : nil))
        let alone = node { $0.replicasInTouch = 0 }
        #expect(isBad(rules.replicas([alone], rules.findings([alone]))) == (durability.replicas > 0 ? false : nil))
        let silent = rules.findings([], silent: [("h:1", "refused")])
        let isRested = durability == .aof || durability.replicas > 0
        #expect(isBad(rules.verdict(silent, [.silent], fine: "")) == !isRested)
        let evicting = rules.findings([node { $0.evictionPolicy = "allkeys-lru" }])
        #expect(isBad(rules.verdict(evicting, [.evicts], fine: "")) == (durability == .durable))
    }

    @Test("memory is weighed for an order a unit, replicas by how far they are behind, clocks by 2 s")
    func figures() {
        let rules = Preflight(durability: .durable)
        let room = (1 << 30) - (64 << 20)
        let fits = Int64(room) / Preflight.ledgerBytesPerOrder
        #expect(isBad(rules.memory([node()], units: ["h:1": fits], [])) == nil)
        #expect(isBad(rules.memory([node()], units: ["h:1": fits + 1], [])) == true)
        let full = node { $0.usedMemory = 1 << 30 }
        #expect(isBad(rules.memory([full], units: [:], rules.findings([full]))) == false)
        #expect(isBad(rules.replicas([node { $0.replicaBehindBytes = 1 << 20 }], [])) == nil)
        #expect(isBad(rules.replicas([node { $0.replicaBehindBytes = 1 << 21 }], [])) == true)
        #expect(isBad(rules.clocks(apart: ["h:1": 2_000, "h:2": -2_000], storeAhead: 1_000)) == nil)
        #expect(isBad(rules.clocks(apart: ["h:1": 0, "h:2": -2_001], storeAhead: nil)) == true)
        #expect(isBad(rules.clocks(apart: ["h:1": 0], storeAhead: 60_000)) == true)
        #expect(isBad(rules.scripts(count: 13, nodes: 3, missing: ["h:1": 2], failed: nil)) == nil)
        #expect(isBad(rules.scripts(count: 13, nodes: 3, missing: [:], failed: "h:1: timeout")) == true)
    }
}

/// The list, the countdown and the closing on a real server.
@Suite("A sale from its list to its books", .serialized, .timeLimit(.minutes(5)))
struct SaleControlLiveTests {
    private func withService(
        _ rig: SaleRig, _ body: (SaleService, EventLog) async throws -> Void
    ) async throws {
        var options = SaleService.Options()
        options.sweeper.interval = .milliseconds(10)
        let events = EventLog()
        let service = try await SaleService(
            cluster: rig.cluster, store: rig.store, options: options, events: events)
        try await SaleRig.running([{ await service.run() }]) { try await body(service, events) }
    }

    private func set(_ rig: SaleRig, _ name: String, _ value: String) async throws {
        try await rig.redis("CONFIG", ["SET", name, value].map { Array($0.utf8) })
    }

    @Test("a loaded sale is GO, scripts that were flushed are loaded again, and what is wrong is named item by item")
    func list() async throws {
        try await SaleRig.with(units: [10, 20], buckets: 2, isOpen: false) { rig async throws in
            try await withService(rig) { service, _ async throws in
                let cold = await service.preflight()
                #expect(cold.decision == .noGo(mayBeOverridden: true), "\(cold.sentence)")
                #expect(isBad(cold.verdict(.stock)))
                _ = try await service.warm()
                // The cold look had found the buckets empty, so the service itself is at them, too.
                try await eventually("nobody recovers any more") { service.supervisor.status.fenced.isEmpty }
                try await rig.redis("SCRIPT", [Array("FLUSH".utf8)])
                let seen = Seen()
                let list = await service.preflight { seen.add($0) }
                #expect(list.decision == .go, "\(list.reasons)")
                #expect(list.verdict(.stock) == .ok("2 SKUs, 30 units"))
                // Each item is told as it is decided, in order.
                #expect(seen.counts == Array(0...PreflightReport.Item.allCases.count))
                #expect(try await rig.store.sale()?.state == .warmed)
                // A stranger's hand, and a policy that drops keys: named, and at durable for a person to judge.
                try await rig.redis("INCRBY", rig.keys.stocks[0], "5")
                try await set(rig, "maxmemory-policy", "allkeys-lru")
                let bad = await service.preflight()
                #expect(isBad(bad.verdict(.eviction)))
                #expect(isBad(bad.verdict(.stock)) || isBad(bad.verdict(.drift)))
                #expect(bad.decision == .noGo(mayBeOverridden: true))
                let refused = await service.control.open(after: bad)
                #expect(!refused.succeeded && refused.sentence.contains("NO-GO"))
                #expect(await service.control.open(after: bad, overriddenBy: "rag").succeeded == false)
                let opened = await service.control.open(after: bad, overriddenBy: "rig")
                #expect(opened.succeeded, "\(opened.sentence)")
                #expect(try await rig.store.auditTrail(limit: 3).contains { $0.after.contains("over NO-GO") })
            }
        }
    }

    @Test("several who load a sale at once all see it loaded")
    func loadedByMany() async throws {
        try await SaleRig.with(units: [10, 20, 30], buckets: 3, isOpen: false) { rig async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let service = try await SaleService(cluster: rig.cluster, store: rig.store, events: EventLog())
                        _ = try await service.warm()
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await rig.store.buckets().allSatisfy { $0.state == .open })
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("nobody opens over a promise that cannot be kept, whatever is typed")
    func lie() async throws {
        try await SaleRig.with(units: [10], durability: .aof, isOpen: false) { rig async throws in
            try await withService(rig) { service, _ async throws in
                _ = try await service.warm()
                let list = await service.preflight()
                #expect(list.decision == .noGo(mayBeOverridden: false), "\(list.sentence)")
                #expect(await service.control.open(after: list, overriddenBy: "rig").succeeded == false)
                // Nor by a list that was well before the file was switched off.
                var stale = PreflightReport()
                for item in PreflightReport.Item.allCases { stale.decide(item, .ok("")) }
                stale.decide(.memory, .bad("", mayBeOverridden: true))
                let refused = await service.control.open(after: stale, overriddenBy: "rig")
                #expect(!refused.succeeded && refused.sentence.contains("append-only"), "\(refused.sentence)")
                #expect(try await rig.store.sale()?.state == .warmed)
            }
        }
    }

    @Test("it opens by itself at its moment, not when taken back, and not on NO-GO")
    func schedule() async throws {
        try await SaleRig.with(units: [10], isOpen: false) { rig async throws in
            try await withService(rig) { service, events async throws in
                _ = try await service.warm()
                async let opening = service.open(at: .after(.seconds(60)))
                try await eventually("it is to open") { service.schedule.present != nil }
                #expect((service.schedule.present?.secondsLeft ?? 0) > 50)
                #expect(service.schedule.cancel())
                #expect(await opening == nil)
                #expect(service.schedule.present == nil && service.schedule.cancel() == false)
                #expect(try await rig.store.sale()?.state == .warmed)

                try await set(rig, "maxmemory-policy", "allkeys-lru")
                #expect(await service.open(at: .after(.milliseconds(50)))?.succeeded == false)
                #expect(events.events.contains { $0.text.contains("does not open by itself") })
                #expect(try await rig.store.sale()?.state == .warmed)
                try await set(rig, "maxmemory-policy", "noeviction")
                let opened = await service.open(at: .after(.milliseconds(50)))
                #expect(opened?.succeeded == true, "\(opened?.sentence ?? "-")")
                #expect(try await rig.store.sale()?.state == .open)
                #expect(service.schedule.present == nil)
            }
        }
    }

    @Test("a time of day is today's or tomorrow's, in the place's own hours")
    func moments() throws {
        // 1970-01-02 10:00 UTC.
        let now: UInt64 = (86_400 + 36_000) * 1_000
        func at(_ text: String, _ offset: Int) throws -> OpeningSchedule.Moment {
            try #require(OpeningTime(text)).moment(now: now, offset: offset)
        }
        #expect(try at("12:00", 0) == .at(milliseconds: (86_400 + 43_200) * 1_000))
        #expect(try at("12:00", 3_600) == .at(milliseconds: (86_400 + 39_600) * 1_000))
        #expect(try at("09:00:30", 0) == .at(milliseconds: (2 * 86_400 + 32_430) * 1_000))
        #expect(try at("+90s", 0) == .after(.seconds(90)))
    }

    @Test("a closed sale takes no order, ends its reservations as told, balances its books, and never opens again")
    func closing() async throws {
        try await SaleRig.with(units: [10, 20], buckets: 2) { rig async throws in
            try await withService(rig) { service, _ async throws in
                let (paid, open) = (rig.order(1, 2), rig.order(2, 3))
                for order in [paid, open] { #expect(await service.engine.deduct(order) == .done(duplicate: false)) }
                #expect(
                    await service.engine.record([Payment(order: paid, succeeded: true)])?.first == .confirmed)
                await #expect(throws: OrderStoreError.self) {
                    _ = try await rig.store.endReservations(after: nil, limit: 9)
                }

                // A reservation without a deadline is nobody's to wait for: it is named.
                let waited = await service.close(reservations: .wait)
                guard case .bad(let why) = waited.progress(.reservations) else {
                    Issue.record("an open reservation is not named: \(waited)")
                    return
                }
                #expect(why.contains("1 reservation open without a deadline") && !waited.isClean)
                #expect(waited.books?.reserved == 3 && waited.books?.missingUnits == 0)
                #expect(try await rig.store.sale()?.state == .closed)
                #expect(await service.engine.deduct(rig.order(1, 1)) == .refused(.halted))

                let report = await service.close(reservations: .expire)
                #expect(report.isClean, "\(report)")
                #expect(report.books?.sentence.hasPrefix("allocated 30 = sold 2 + reserved 0 + stock 28 units") == true)
                #expect(try await rig.store.sale()?.state == .closed)
                #expect(!(await service.control.open().succeeded))
                #expect(!(await service.control.restock(SKUNumber(rawValue: 1), units: 5).succeeded))
                #expect(!(await service.control.halt().succeeded))
                let audit = try await rig.store.auditTrail(limit: 20)
                #expect(audit.contains { $0.what == "close" && $0.before == "open" && $0.after == "closed" })
                #expect(audit.contains { $0.what == "books" })
            }
            // Redis says so itself, to any engine.
            #expect(try await rig.cut().state == "closed")
            #expect(try await rig.deduct([rig.order(1, 1)]) == "fenced closed")
            // And a recovery opens its buckets closed.
            try await rig.recover()
            #expect(try await rig.cut().state == "closed")
        }
    }

    @Test("closing waits for the deadlines, and for what was paid meanwhile")
    func deadlines() async throws {
        try await SaleRig.with(units: [10], reservationTimeoutMilliseconds: 600) { rig async throws in
            try await withService(rig) { service, _ async throws in
                let (paid, left) = (rig.order(1, 2), rig.order(1, 3))
                for order in [paid, left] { #expect(await service.engine.deduct(order) == .done(duplicate: false)) }
                async let closing = service.close(reservations: .wait)
                try await eventually("it is closed") { try await rig.store.sale()?.state == .closed }
                #expect(
                    await service.engine.record([Payment(order: paid, succeeded: true)])?.first == .confirmed)
                let report = await closing
                #expect(report.isClean, "\(report)")
                #expect(report.books?.sold == 2 && report.books?.stock == 8 && report.books?.expiredOrders == 1)
            }
        }
    }

    private func isBad(_ verdict: PreflightReport.Verdict) -> Bool {
        if case .bad = verdict { true } else { false }
    }
}

/// How many items each list that was told had decided.
private final class Seen: Sendable {
    private let state = Mutex<[Int]>([])
    var counts: [Int] { state.withLock { $0 } }
    func add(_ list: PreflightReport) {
        let count = PreflightReport.Item.allCases.count { list.verdict($0) != .waiting }
        state.withLock { $0.append(count) }
    }
}
