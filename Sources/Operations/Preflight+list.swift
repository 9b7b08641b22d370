import Inventory
import Telemetry

/// The verdict on each item of the list before an opening: facts in, a verdict out.
extension Preflight {
    /// What one order takes in a ledger, field, value and table, measured at 1 million (rounded up).
    static let ledgerBytesPerOrder: Int64 = 128
    /// Clocks may lie so far apart.
    static let clocksApartMillisecondsMax: Int64 = 2_000
    /// A replica that is further behind is not in step.
    static let replicaBehindBytesMax: Int64 = 1 << 20

    /// A verdict made of findings of some kinds; `fine` says what holds where there is none.
    func verdict(_ findings: [Finding], _ kinds: Set<Kind>, fine: String) -> PreflightReport.Verdict {
        let found = findings.filter { kinds.contains($0.kind) }
        guard let first = found.first(where: { !$0.mayBeOverridden }) ?? found.first else { return .ok(fine) }
        let more = found.count > 1 ? " (and \(found.count - 1) more)" : ""
        return .bad(first.sentence + more, mayBeOverridden: found.allSatisfy(\.mayBeOverridden))
    }

    /// - Parameters:
    ///   - missing: scripts that a server did not have, by address; they were loaded again.
    ///   - failed: why a server does not have them now.
    func scripts(count: Int, nodes: Int, missing: [String: Int], failed: String?) -> PreflightReport.Verdict {
        if let failed {
            // Without its scripts a server sells nothing; it also takes them with the first order.
            return .bad("scripts cannot be loaded: \(failed)", mayBeOverridden: true)
        }
        let on = "\(count.counted("script")) on \(nodes.counted("node"))"
        guard let first = missing.sorted(by: { $0.key < $1.key }).first else { return .ok(on) }
        return .ok("\(on); \(first.value) were missing on \(first.key), loaded again")
    }

    /// What was counted of the stock.
    struct StockCount: Sendable, Hashable {
        var skus = 0
        var buckets = 0
        /// Buckets that are not loaded, or whose data is not to be trusted, and why the first is not.
        var unloaded = 0
        var reason: String?
        /// Units in Redis.
        var units: Int64 = 0
        /// Units by which Redis and SQL differ, in buckets where nothing is on its way; of how many SKUs.
        var differing: Int64 = 0
        var differingSKUs = 0
        /// Another sale's bucket.
        var stranger: String?
    }

    func stock(_ count: StockCount) -> PreflightReport.Verdict {
        if let stranger = count.stranger { return .bad(stranger, mayBeOverridden: false) }
        if count.unloaded > 0 {
            // Its scripts refuse until a recovery has opened it: it does not sell, and that is all.
            return .bad(
                "\(count.unloaded) of \(count.buckets.counted("bucket")) not loaded: \(count.reason ?? "no answer")",
                mayBeOverridden: true)
        }
        if count.differing > 0 {
            return .bad(
                "stock differs from SQL by \(count.differing.counted("unit")) in \(count.differingSKUs.counted("SKU")): reconcile --repair mends it",
                mayBeOverridden: durability == .durable)
        }
        return .ok("\(count.skus.counted("SKU")), \(count.units.counted("unit"))")
    }

    /// Below `durable` what Redis has too much of would be sold: nobody may override that.
    func drift(units: Int64, cuts: Int, unread: Int, first: String?) -> PreflightReport.Verdict {
        if units > 0 {
            return .bad(
                "Redis and SQL differ by \(units.counted("unit")): \(first ?? ""); reconcile --repair (R on screen) mends it",
                mayBeOverridden: durability == .durable)
        }
        if unread > 0 {
            return .bad("\(unread.counted("bucket")) could not be compared", mayBeOverridden: durability == .durable)
        }
        return .ok("\(cuts.counted("bucket")) \(cuts == 1 ? "agrees" : "agree") to the unit")
    }

    func replicas(_ nodes: [NodeFacts], _ findings: [Finding]) -> PreflightReport.Verdict {
        let base = verdict(findings, [.tooFewReplicas], fine: "")
        if case .bad = base { return base }
        let behind = nodes.filter { ($0.replicaBehindBytes ?? 0) > Self.replicaBehindBytesMax }
        if let worst = behind.max(by: { ($0.replicaBehindBytes ?? 0) < ($1.replicaBehindBytes ?? 0) }) {
            return .bad(
                "a replica of \(worst.address) is \((worst.replicaBehindBytes ?? 0) >> 20) MiB behind; wait until it has caught up",
                mayBeOverridden: true)
        }
        let total = nodes.reduce(0) { $0 + $1.replicasInTouch }
        if total > 0 { return .ok("\(total.counted("replica")) in step") }
        return .ok(durability.replicas == 0 ? "none, and none is promised" : "none")
    }

    /// - Parameter units: what is still to be sold on each server: at worst, an order each.
    func memory(_ nodes: [NodeFacts], units: [String: Int64], _ findings: [Finding]) -> PreflightReport.Verdict {
        let base = verdict(findings, [.memoryLow], fine: "")
        if case .bad = base { return base }
        var most: (need: Int64, free: Int64)?
        for node in nodes where node.memoryLimit > 0 {
            let need = (units[node.address] ?? 0) * Self.ledgerBytesPerOrder
            let free = max(0, node.memoryLimit - headroom(of: node.memoryLimit) - node.usedMemory)
            if need > free {
                // When it comes to that the sale halts itself, with room kept for give-backs.
                return .bad(
                    "\(node.address) has \((free >> 20).inGroups) MiB free, and the ledgers may need \((need >> 20).inGroups) MiB: raise its maxmemory",
                    mayBeOverridden: true)
            }
            if most.map({ need > $0.need }) ?? true { most = (need, free) }
        }
        guard let most else { return .ok("no server tells its limit") }
        return .ok(
            "at most \(max(1, most.need >> 20).inGroups) MiB a node needed, \((most.free >> 20).inGroups) MiB free")
    }

    /// - Parameters:
    ///   - commitMilliseconds: how long a commit of SQL took just now; `nil`: it failed, as `failure` says.
    func promise(
        _ nodes: [NodeFacts], _ findings: [Finding], commitMilliseconds: Double?, failure: String?
    ) -> PreflightReport.Verdict {
        guard let commitMilliseconds else {
            return .bad("SQL does not commit: \(failure ?? "no answer")", mayBeOverridden: false)
        }
        let commit = "SQL commits in \(Int(commitMilliseconds.rounded(.up))) ms"
        let silent = verdict(findings, [.silent], fine: "")
        switch durability {
        case .durable: return .ok("durable: \(commit)")
        case .memory: return .ok("memory: a crash may lose what SQL has not yet; \(commit)")
        case .replicated(let count):
            if case .bad(let why, false) = silent { return .bad(why, mayBeOverridden: false) }
            return verdict(findings, [.tooFewReplicas], fine: "\(count.counted("replica")) acknowledge; \(commit)")
        case .aof:
            if case .bad(let why, false) = silent { return .bad(why, mayBeOverridden: false) }
            let setting = nodes.compactMap(\.appendFsync).first ?? "?"
            return verdict(
                findings, [.noAOF, .neverSynced, .syncUnknown, .aofFails],
                fine: "append-only file, fsync \(setting); \(commit)")
        }
    }

    /// - Parameters:
    ///   - apart: by how many milliseconds each server's clock is ahead of this machine's.
    ///   - storeAhead: by how many milliseconds the latest moment that SQL knows of lies in the future.
    func clocks(apart: [String: Int64], storeAhead: Int64?) -> PreflightReport.Verdict {
        func words(_ milliseconds: Int64) -> String {
            "\(Alerts.tenths(Double(abs(milliseconds)) / 1_000)) s \(milliseconds > 0 ? "ahead of" : "behind")"
        }
        if let worst = apart.max(by: { abs($0.value) < abs($1.value) }),
            abs(worst.value) > Self.clocksApartMillisecondsMax
        {
            return .bad(
                "the clock of \(worst.key) is \(words(worst.value)) this machine's: deadlines and order ids go by both",
                mayBeOverridden: true)
        }
        if let storeAhead, storeAhead > Self.clocksApartMillisecondsMax {
            return .bad(
                "SQL knows of a moment \(words(storeAhead)) this machine's clock: reservations would end late",
                mayBeOverridden: true)
        }
        let most = apart.values.map(abs).max() ?? 0
        return .ok("\(apart.count.counted("server")) within \(most) ms")
    }
}
