import ArgumentParser
import Foundation
import Glibc
import Inventory
import Operations
import Redis
import Settings
import Telemetry

// `snapshot` without --orders: keys that somebody else sells from, once.

extension SnapshotCommand {
    /// Until every key was looked at once and every SKU read since, then as long as rates want.
    func lookAtKeys() async throws -> Int32 {
        let cluster = try await source.connect(options: .looking)
        defer { cluster.close() }
        let keys = try await foreign.keys(on: cluster)
        let kept = KeptSnapshot()
        let sampler = ForeignSampler(
            cluster: cluster, keys: keys, name: keys.stock.text,
            topology: cluster.isCluster ? "cluster \(cluster.masters.count)" : "single",
            redisURL: "redis://\(cluster.url.address)", budget: foreign.budget, thresholds: .inUse, events: EventLog()
        ) { kept.put($0) }
        let isShown = isatty(2) == 1
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await sampler.run() }
            var end: ContinuousClock.Instant?
            var shown = ""
            while !Task.isCancelled, end.map({ ContinuousClock.now < $0 }) ?? true {
                try? await Task.sleep(for: .milliseconds(50))
                guard let now = kept.snapshot, let foreign = now.foreign else { continue }
                if end == nil, foreign.isScanned || now.needs(.search) != nil {
                    // Whoever was found last has its turn, and a second reading for its rate.
                    end = .now + .seconds(foreign.sweepSeconds + 1) + .milliseconds(Int64(look.seconds * 1_000))
                }
                guard isShown else { continue }
                let line = end == nil ? foreign.scan : "\(now.skus.count.counted("SKU")), being read"
                if line != shown { FileHandle.standardError.write(Data("\r\u{1B}[K\(PlainText.line(line))".utf8)) }
                shown = line
            }
            if isShown { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
            group.cancelAll()
        }
        guard let snapshot = kept.snapshot else { return 2 }
        if let rule = snapshot.needs(.search, .stock) {
            throw ForeignOptions.Problem(description: "\(cluster.url.address) shows no stock to this user: it \(rule)")
        }
        guard !snapshot.skus.isEmpty else {
            throw ForeignOptions.Problem(
                description:
                    "\(cluster.url.address) has no key that is made as \(keys.stock); --stock-key says how they are")
        }
        return try tell(OverviewReport(watched: snapshot), snapshot)
    }
}

/// A sale's books, or keys alone: what `watch` and `snapshot` look at.
enum BooksOrKeys {
    static func validate(orders: String?, _ foreign: ForeignOptions) throws {
        guard let orders else { return }
        try OrdersOption.validate(orders)
        if foreign.stockKey != nil, orders != SettingsInUse.current["orders"] {
            throw ValidationError("--stock-key is for keys without an order store: leave out --orders, or --stock-key")
        }
    }

    /// The books; `nil` where keys are looked at alone. A template that was typed goes before books that a file names.
    static func books(orders: String?, _ foreign: ForeignOptions) -> String? {
        foreign.stockKey != nil && orders == SettingsInUse.current["orders"] ? nil : orders
    }
}
