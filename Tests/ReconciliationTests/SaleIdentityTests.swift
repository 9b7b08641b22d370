import Deduction
import Inventory
import Lab
import Operations
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

/// Two sales whose SKUs, tags and epochs have the same names: neither's books are ever written over the other's Redis.
@Suite("Whose sale a bucket is", .timeLimit(.minutes(5)))
struct SaleIdentityTests {
    /// The Redis of one sale and the books of another.
    private func crossed(
        _ body: @Sendable (_ theirs: SaleRig, _ mine: SaleRig) async throws -> Void
    ) async throws {
        try await SaleRig.with(units: [10, 10]) { theirs async throws in
            #expect(try await theirs.deduct([theirs.order()]) == "1 D")
            try await SaleRig.with(units: [50, 50]) { mine async throws in try await body(theirs, mine) }
        }
    }

    private func recoverer(_ theirs: SaleRig, _ mine: SaleRig) -> Recoverer {
        Recoverer(
            catalogue: mine.catalogue, cluster: theirs.cluster, scripts: theirs.scripts, store: mine.store,
            claimant: "stranger")
    }

    @Test("a recovery with another sale's books is refused in one line, and changes neither store")
    func recovery() async throws {
        try await crossed { theirs, mine in
            let (before, record) = (try await theirs.dump(), try await mine.record)
            let failure = await #expect(throws: Recoverer.Failure.self) {
                try await recoverer(theirs, mine).recover(mine.bucket.number)
            }
            let text = failure?.description ?? ""
            #expect(text.contains("bucket t1 in Redis holds another sale") && text.contains("name the order store"))
            #expect(!text.contains("\n") && failure?.overtaken == false)
            #expect(try await theirs.dump().map(\.bytes) == before.map(\.bytes))
            #expect(try await mine.record == record)
            #expect(try await theirs.deduct([theirs.order()]) == "2 D")
        }
    }

    @Test("a service on another sale's Redis does not begin, and a comparison names the strangers")
    func service() async throws {
        try await crossed { theirs, mine in
            let error = await #expect(throws: OrderStoreError.self) {
                _ = try await SaleService(cluster: theirs.cluster, store: mine.store, events: EventLog())
            }
            #expect(error?.outcome == .refused && error?.message.contains("holds another sale") == true)
            let comparison = await Reconciler(
                catalogue: mine.catalogue, cluster: theirs.cluster, scripts: theirs.scripts, store: mine.store
            ).compare()
            #expect(comparison.findings.isEmpty)
            #expect(
                comparison.unread[mine.bucket.number]?.contains("holds another sale") == true, "\(comparison.unread)")
            _ = try await SaleService(cluster: theirs.cluster, store: theirs.store, events: EventLog())
        }
    }

    @Test("a sale is not opened on another's Redis")
    func opening() async throws {
        try await crossed { theirs, mine in
            let service = try await SaleService(cluster: theirs.cluster, store: theirs.store, events: EventLog())
            #expect(await service.monitor.check().isEmpty)
            try await theirs.redis("HSET", theirs.keys.control, "sale", "0123456789abcdef0123456789abcdef")
            let found = await service.monitor.check()
            #expect(found.map(\.kind) == [.otherSale])
            #expect(found.allSatisfy { $0.refusesOpening && !$0.haltsSale && $0.sentence.contains("01234567…") })
        }
    }

    @Test("the closing itself looks whose the bucket is")
    func closing() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let next = Epoch(rawValue: try await rig.record.epoch.rawValue + 1)
            #expect(try await rig.step(rig.scripts.close, epoch: next, ["another"]) == "otherSale")
            #expect(try await rig.deduct([rig.order()]) == "1 D")
            // Who says nothing changes nothing.
            #expect(try await rig.step(rig.scripts.close, epoch: next) == "ok")
            #expect(try await rig.cut().sale == rig.catalogue.sale)
        }
    }

    @Test("a bucket that names no sale is taken over by whoever recovers it")
    func nobodys() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            #expect(try await rig.cut().sale == rig.catalogue.sale && rig.catalogue.sale != nil)
            // As an older version left it.
            try await rig.redis("HDEL", rig.keys.control, "sale")
            _ = try await SaleService(cluster: rig.cluster, store: rig.store, events: EventLog())
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
            try await rig.recover()
            #expect(try await rig.cut().sale == rig.catalogue.sale)
            try await rig.redis("FLUSHALL", [])
            try await rig.recover()
            #expect(try await rig.cut().sale == rig.catalogue.sale)
        }
    }

    @Test(
        "an epoch that SQL never gave out is said to be another file's, and not to be compared again",
        arguments: [false, true])
    func epochAbove(isOwn: Bool) async throws {
        try await crossed { theirs, mine in
            for _ in 0..<3 { try await theirs.recover() }
            // As it is where this order store is an older copy, or where an older version wrote both.
            let sale = isOwn ? try #require(mine.catalogue.sale).rawValue : ""
            try await theirs.redis("HSET", theirs.keys.control, "sale", sale)
            let comparison = await Reconciler(
                catalogue: mine.catalogue, cluster: theirs.cluster, scripts: theirs.scripts, store: mine.store
            ).compare()
            let why = comparison.unread[mine.bucket.number] ?? ""
            let epoch = try await mine.record.epoch.rawValue
            #expect(why.contains("epoch \(epoch + 3) in Redis") && why.contains("knows only \(epoch)"), "\(why)")
            #expect(why.contains("older copy") && why.contains("not its books") != isOwn, "\(why)")
            #expect(!why.contains("compare again"), "\(why)")
        }
    }

    @Test("a state that no script writes is a finding, and recovered from")
    func badState() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            #expect(try await rig.deduct([rig.order()]) == "1 D")
            try await rig.drain()
            try await rig.redis("HSET", rig.keys.control, "state", "blah")
            #expect(try await rig.deduct([rig.order()]) == "fenced badState")
            let first = await rig.compare(ledgers: true)
            #expect(first.findings.map(\.kind) == [.lostBucket], "\(first.findings)")
            #expect(first.findings.first?.sentence.contains("state in its control") == true, "\(first.findings)")
            let plan = RepairPlan(agreeing: first, await rig.compare(ledgers: true), catalogue: rig.catalogue)
            #expect(await rig.apply(plan).repairs.map(\.state) == [.recovered])
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }

    @Test("a key that will vanish by time is named, with what to do")
    func expiring() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            try await rig.redis("EXPIRE", rig.keys.ledgers[0], "3600")
            let found = await rig.compare(ledgers: true)
            #expect(found.findings.map(\.kind) == [.expiring] && found.driftUnits == 0)
            let sentence = found.findings.first?.sentence ?? ""
            #expect(sentence.contains("sx_{t1}sku1") && sentence.contains("PERSIST"), "\(sentence)")
            try await rig.redis("PERSIST", rig.keys.ledgers[0])
            #expect(await rig.compare(ledgers: true).findings.isEmpty)
        }
    }
}
