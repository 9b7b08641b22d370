import Checker
import Foundation
import Inventory
import OrderStore
import Redis

/// Everything that a round works on: servers, books, parties, the wires between them.
final class TortureFloor: Sendable {
    static let engineCount = 2

    let fleet: EmbeddedFleet
    let sale: TortureSale
    let engines: [Party]
    let workers: [Party]
    /// One before each party; none in a cluster.
    private let partyWires: [WireProxy]
    let booksPath: String
    let folder: String
    let topology: TortureTopology
    let record: TortureRecord

    var parties: [Party] { engines + workers }

    /// One before each party, or in a cluster one before each present master.
    var wires: [WireProxy] {
        guard topology == .cluster else { return partyWires }
        return (0..<topology.masters).compactMap { try? fleet.clientWire(ofShard: $0) }
    }

    private init(
        fleet: EmbeddedFleet, sale: TortureSale, engines: [Party], workers: [Party], partyWires: [WireProxy],
        booksPath: String, folder: String, topology: TortureTopology, record: TortureRecord
    ) {
        self.fleet = fleet
        self.sale = sale
        self.engines = engines
        self.workers = workers
        self.partyWires = partyWires
        self.booksPath = booksPath
        self.folder = folder
        self.topology = topology
        self.record = record
    }

    /// Servers, books and parties, up to an open sale. Whatever fails, nothing stays behind.
    static func start(
        _ configuration: ProcessTorture.Configuration, seed: UInt64, folder: String, appendsOnly: Bool
    ) async throws -> TortureFloor {
        let topology = configuration.topology
        let fleet = try await EmbeddedFleet.start(
            .init(
                masters: topology.masters, replicas: topology.replicas,
                options: ServerOptions(
                    appendOnly: configuration.durability == .aof ? .always : appendsOnly ? .everySecond : .off),
                isProxied: topology != .single))
        var wires: [WireProxy] = []
        var floor: TortureFloor?
        do {
            let sale = TortureSale(durability: configuration.durability, seed: seed)
            let books = "\(folder)/books.sqlite"
            let store = try SQLiteOrderStore.open(path: books)
            _ = try await store.createSale(sale.draft)
            await store.close()
            let url = try RedisURL(fleet.url)
            func party(_ name: String, _ role: PartyRole, _ number: UInt64) throws -> Party {
                var address = url.address
                if topology != .cluster {
                    let wire = try WireProxy(to: address)
                    wires.append(wire)
                    address = wire.address
                }
                return Party(
                    name: name,
                    launch: .init(
                        executable: configuration.executable,
                        arguments: configuration.partyArguments + [
                            "--redis", "redis://\(address)", "--orders", books, "--role", role.rawValue,
                            "--seed", String(seed &+ number),
                            "--outbox-delay", String(configuration.outboxDelayMilliseconds),
                            "--horizon", String(sale.horizonSeconds ?? 3_600),
                        ], folder: folder))
            }
            let engines = try (1...engineCount).map { try party("engine\($0)", .engine, UInt64($0)) }
            let workers = [try party("worker1", .worker, 90)]
            let made = TortureFloor(
                fleet: fleet, sale: sale, engines: engines, workers: workers, partyWires: wires, booksPath: books,
                folder: folder, topology: topology,
                record: try TortureRecord(path: "\(folder)/history.jsonl"))
            floor = made
            try await made.open()
            return made
        } catch {
            if let floor {
                await floor.stop()
            } else {
                for wire in wires { wire.close() }
                await fleet.stop()
            }
            throw error
        }
    }

    /// Starts the parties, loads the buckets and opens the sale.
    private func open() async throws {
        let ticker = Task { await self.expireAnswers() }
        defer { ticker.cancel() }
        try await workers[0].start()
        guard let warmed = await workers[0].ask("warm", within: .seconds(20)), warmed.kind == .ok else {
            throw TortureError("the buckets were not loaded; see \(folder)/worker1.log")
        }
        for engine in engines { try await engine.start() }
        guard let opened = await workers[0].ask("open", within: .seconds(10)), opened.kind == .ok else {
            throw TortureError("the sale did not open; see \(folder)/worker1.log")
        }
    }

    /// Tells those who wait too long that nobody answers; until cancelled.
    func expireAnswers() async {
        while !Task.isCancelled {
            let now = ContinuousClock.now
            for party in parties { party.expire(now: now) }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Ends everything; files stay.
    func stop() async {
        for party in parties { await party.end() }
        for wire in partyWires { wire.close() }
        await fleet.stop()
        record.writer.close()
    }
}
