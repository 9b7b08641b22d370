import ArgumentParser
import Dashboard
import Deduction
import Foundation
import Inventory
import Operations
import OrderStore
import Redis
import Synchronization
import Telemetry
import TerminalUI

/// What the overview shows, once, for scripts.
struct SnapshotCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Print once what the overview shows, as text or JSON.",
        discussion: """
            It looks for a second, since rates need two moments, and writes nothing. What nobody can know is null. Without --orders it
            looks at keys that are not ours, as watch does: all keys are searched once, at --scan-rate, then every SKU is read.

            Exit codes: 0 no bad alert, 1 there is one, 2 could not look.

            sellout snapshot --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout snapshot --redis redis://127.0.0.1:6379 --stock-key stock:sku --json
            sellout snapshot --profile live --json | jq '.skus[] | select(.state == "LOW") | .sku'
            """)

    @OptionGroup var source: RedisSource

    @Option(help: "The order store: sqlite:PATH. Left out, Redis's keys alone are looked at.")
    var orders: String?

    @OptionGroup var foreign: ForeignOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    @Flag(help: "Print text (the default).")
    var text = false

    @Option(help: "How long to look, such as 1s or 500ms.")
    var look = TimeSpan(seconds: 1.2)

    func validate() throws {
        try BooksOrKeys.validate(orders: orders, foreign)
        if json && text { throw ValidationError("--json and --text: choose one") }
        guard (0.2...60).contains(look.seconds) else { throw ValidationError("--look \(look.text): use 200ms to 60s") }
    }
}

extension SnapshotCommand: WorkerCommand {
    func work() async throws -> Int32 {
        guard let books = BooksOrKeys.books(orders: orders, foreign) else { return try await lookAtKeys() }
        let (service, redisURL, ordersURL) = try await source.connect(
            orders: books, readOnly: true, events: EventLog())
        let result: Result<Int32, any Error>
        do { result = .success(try await report(service, redisURL, ordersURL)) } catch { result = .failure(error) }
        service.cluster.close()
        await service.store.close()
        return try result.get()
    }

    private func report(_ service: SaleService, _ redisURL: String, _ ordersURL: String) async throws -> Int32 {
        let kept = KeptSnapshot()
        let sampler = WarRoomSampler(
            service: service, witness: nil, topology: service.topologyWords, redisURL: redisURL, ordersURL: ordersURL,
            thresholds: .inUse
        ) { kept.put($0) }
        let end = ContinuousClock.now + .milliseconds(Int64(look.seconds * 1_000))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await service.observe() }
            while ContinuousClock.now < end, !Task.isCancelled {
                await sampler.sample()
                try? await Task.sleep(for: .milliseconds(100))
            }
            await sampler.sample()
            group.cancelAll()
        }
        guard let snapshot = kept.snapshot else { return 2 }
        let epochs = Dictionary(
            try await service.store.buckets().map { ($0.bucket, $0.epoch.rawValue) }, uniquingKeysWith: max)
        return try tell(OverviewReport(snapshot, service.catalogue, epochs: epochs), snapshot)
    }

    func tell(_ report: OverviewReport, _ snapshot: WarRoomSnapshot) throws -> Int32 {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            print(report.text)
        }
        return snapshot.alerts.contains { $0.severity == .bad } ? 1 : 0
    }
}

/// The newest snapshot of a sampler.
final class KeptSnapshot: Sendable {
    private let state = Mutex<WarRoomSnapshot?>(nil)
    var snapshot: WarRoomSnapshot? { state.withLock { $0 } }
    func put(_ snapshot: WarRoomSnapshot) { state.withLock { $0 = snapshot } }
}
