import Deduction
import Inventory
import OrderStore
import Redis
import SaleRig
import Testing

@testable import Operations

extension SaleRig {
    /// As whoever has just come: nothing was loaded, nothing asked.
    fileprivate var newcomer: SaleControl {
        SaleControl(
            catalogue: catalogue, store: store,
            acts: BucketActs(catalogue: catalogue, cluster: cluster, scripts: .unloaded, store: store),
            events: EventLog())
    }

    fileprivate func states() async throws -> [String?] {
        var states: [String?] = []
        for bucket in catalogue.buckets {
            let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
            var command = RedisCommand("HGET")
            command.append(keys.control)
            command.append("state")
            states.append(try await cluster.call(slot: keys.slot, command, deadline: soon).string)
        }
        return states
    }

    /// How often the server was asked to load a script.
    fileprivate func loads() async throws -> Int {
        let text = try await redis("INFO", [Array("commandstats".utf8)]).string ?? ""
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("cmdstat_script|load:calls=") }
        return line.flatMap { Int($0.dropFirst("cmdstat_script|load:calls=".count).prefix { $0.isNumber }) } ?? 0
    }
}

/// The quickest way to every bucket.
@Suite("A brake", .timeLimit(.minutes(5)))
struct BrakeTests {
    @Test("scripts have the names that servers give them")
    func names() async throws {
        try await SaleRig.with(units: [1]) { rig async throws in
            #expect(Scripts.unloaded.all.map(\.sha) == rig.scripts.all.map(\.sha))
            #expect(Scripts.unloaded.all.map(\.name) == rig.scripts.all.map(\.name))
        }
    }

    @Test("needs no script to be there, loads none, and is followed by SQL")
    func bare() async throws {
        try await SaleRig.with(units: [10, 10, 10], buckets: 3) { rig async throws in
            _ = try await rig.store.setFrozen(SKUNumber(rawValue: 2), true)
            try await rig.redis("SCRIPT", [Array("FLUSH".utf8)])
            let loads = try await rig.loads()
            let control = rig.newcomer
            let brake = try #require(try await control.brake(since: .now))
            #expect((brake.told, brake.of, brake.refusal) == (3, 3, nil))
            #expect(try await rig.states() == ["halted", "halted", "halted"])
            #expect(try await rig.store.sale()?.state == .open, "SQL has not been asked")
            #expect(try await rig.loads() == loads)

            let halted = await control.halt(after: brake)
            #expect(
                halted.succeeded && halted.sentence.contains("3 buckets told in \(brake.took.formatted)"), "\(halted)")
            #expect(try await rig.store.sale()?.state == .halted)
            // The freeze that no bucket had heard is told with it.
            #expect(try await rig.cut().skus.map { $0.control?.frozen } == [false])
            #expect(try await control.brake(since: .now) == nil, "there is nothing to brake any more")
        }
    }

    @Test("reaches who answers, whoever does not")
    func oneIsDeaf() async throws {
        try await SaleRig.with(units: [10, 10], buckets: 2, port: DeafPort.between) { rig async throws in
            let port = try #require(rig.cluster as? DeafPort)
            port.setDeaf(true, rig.catalogue.buckets[1])
            let brake = try #require(try await rig.newcomer.brake(since: .now))
            #expect((brake.told, brake.of) == (1, 2))
            port.setDeaf(false, rig.catalogue.buckets[1])
            #expect(try await rig.states() == ["halted", "open"])
            let halted = await rig.newcomer.halt(after: brake)
            #expect(halted.succeeded && halted.sentence.contains("2 buckets told in"), "\(halted)")
            #expect(try await rig.states() == ["halted", "halted"])
        }
    }

    @Test("leaves another sale's buckets alone")
    func stranger() async throws {
        try await SaleRig.with(units: [10, 10], buckets: 2) { rig async throws in
            try await rig.redis("HSET", rig.keys.control, "sale", String(repeating: "ab", count: 16))
            let brake = try #require(try await rig.newcomer.brake(since: .now))
            #expect(brake.told == 0 && brake.refusal?.contains("another sale") == true)
            #expect(try await rig.states()[0] == "open")
        }
    }

    @Test("a closed sale's acts are refused, each in one line that says so")
    func closed() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let control = rig.newcomer
            #expect(await control.close().succeeded)
            let sku = SKUNumber(rawValue: 1)
            let before = try await rig.counters()
            for report in [
                await control.setFrozen(sku, true), await control.setFrozen(sku, false), await control.halt(),
                await control.open(), await control.restock(sku, units: 5), await control.restock(sku, units: -5),
            ] {
                #expect(!report.succeeded && report.sentence.contains("the sale is closed"), "\(report.sentence)")
            }
            #expect(try await rig.counters() == before)
        }
    }

    @Test("what an act leaves in the outbox goes to SQL with nobody at work")
    func seenThrough() async throws {
        try await SaleRig.with(units: [10, 10], buckets: 2) { rig async throws in
            let service = try await SaleService(
                cluster: rig.cluster, store: rig.store, scripts: .unloaded, events: EventLog())
            #expect(await service.control.setFrozen(SKUNumber(rawValue: 1), true).succeeded)
            #expect(await service.control.restock(SKUNumber(rawValue: 2), units: 5).succeeded)
            #expect(try await !service.backlog().isEmpty, "there is something to see through")
            #expect(await service.seeThrough() == 0)
            #expect(try await service.backlog().isEmpty)
        }
    }
}
