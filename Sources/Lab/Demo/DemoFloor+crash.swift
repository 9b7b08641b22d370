import Deduction
import Inventory
public import Operations
import Redis
import Synchronization
import Telemetry

/// A node of the demo's own fleet goes down, and what comes after.
extension DemoFloor {
    public var crashes: Int { crashCount.load(ordering: .relaxed) }

    /// Kills a node with SIGKILL. A master's replica takes over after a pause, and the node comes back to follow it; without
    /// one the node comes back empty.
    ///
    /// - Parameter node: its index in the fleet.
    public func crash(_ node: Int) async -> SaleControl.Report {
        let nodes = fleet.nodes
        guard nodes.indices.contains(node), nodes[node].isUp,
            crashing.withLock({ $0.insert(node).inserted })
        else {
            return SaleControl.Report(
                sentence: "node \(node + 1) is down already and starts again by itself; nothing was crashed",
                succeeded: false)
        }
        defer { crashing.withLock { _ = $0.remove(node) } }
        let address = nodes[node].address
        let name = "node \(number(of: nodes[node])) (\(address))"
        do {
            crashCount.add(1, ordering: .relaxed)
            try await fleet.crash(node)
            service.events.add(.bad, "\(name) was killed with SIGKILL; everything it held in memory is gone")
            await service.control.record(
                what: "crash", subject: name, before: "up, pid \(nodes[node].pid)", after: "killed")
            return SaleControl.Report(
                sentence: "\(name) was killed\(try await comeBack(nodes[node], name: name))", succeeded: true)
        } catch {
            return SaleControl.Report(sentence: "crash of \(name): \(error)", succeeded: false)
        }
    }

    /// After a pause: a replica takes over where there is one, and the node starts again. Returns what came of it, to follow "was killed".
    private func comeBack(_ node: EmbeddedFleet.Node, name: String) async throws -> String {
        try? await ContinuousClock().sleep(for: configuration.crashPause)
        // The demo ends: nothing is to be started any more.
        try Task.checkCancellation()
        if let shard = try await promoteReplica(of: node, name: name) {
            try await fleet.restart(node.index)
            try await fleet.rejoin(node.index, shard: shard)
            service.events.add(.good, "\(name) is back and copies the new master")
            return "; its replica took over, and it came back as a replica"
        }
        try await fleet.restart(node.index)
        guard case .master = node.role else {
            service.events.add(.good, "\(name) is back and copies its master")
            return " and came back as a replica"
        }
        let state = configuration.durability == .aof ? "with what its append-only file holds" : "empty"
        service.events.add(.warning, "\(name) is back, \(state)")
        return " and came back \(state)"
    }

    // MARK: Killed by somebody else

    /// Pause between two looks at the servers' processes.
    static let processLookPause = Duration.milliseconds(100)
    /// Pause before a server that did not come up is started once more.
    static let restartPause = Duration.seconds(5)

    /// Starts servers again whose process somebody else ended, as after a crash, until cancelled.
    func watchProcesses() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                for node in fleet.nodes where !node.isUp {
                    guard crashing.withLock({ $0.insert(node.index).inserted }) else { continue }
                    // Started again between the two looks.
                    guard !fleet.nodes[node.index].isUp else {
                        crashing.withLock { _ = $0.remove(node.index) }
                        continue
                    }
                    group.addTask { await self.restartAfterStrangersKill(node) }
                }
                try? await ContinuousClock().sleep(for: Self.processLookPause)
            }
        }
    }

    private func restartAfterStrangersKill(_ node: EmbeddedFleet.Node) async {
        defer { crashing.withLock { _ = $0.remove(node.index) } }
        let name = "node \(number(of: node)) (\(node.address))"
        // Whoever killed it: what its memory held is gone as after a crash of ours, and the run is judged so.
        crashCount.add(1, ordering: .relaxed)
        service.events.add(
            .bad, "the process of \(name) ended and the demo did not end it; it is started again, as after a crash")
        await service.control.record(
            what: "crash", subject: name, before: "up, pid \(node.pid)", after: "ended by somebody else")
        var isTold = false
        while !Task.isCancelled {
            do {
                _ = try await comeBack(node, name: name)
                return
            } catch {
                if !isTold, !Task.isCancelled {
                    service.events.add(.bad, "\(name) does not start again: \(error); tried again every 5 s")
                }
                isTold = true
                if fleet.nodes[node.index].isUp { return }
                try? await ContinuousClock().sleep(for: Self.restartPause)
            }
        }
    }

    /// Promotes the living replica that has most of what a dead master wrote: whatever some replica had said it has. Returns its
    /// shard; `nil` where there is none, or where clients would not find it.
    private func promoteReplica(of master: EmbeddedFleet.Node, name: String) async throws(FleetError) -> Int? {
        guard case .master(let shard) = master.role, fleet.clientsFollowPromotions,
            let replica = await fleet.foremostReplica(ofShard: shard)
        else { return nil }
        try await fleet.promote(replica)
        let address = fleet.nodes[replica].address
        service.events.add(.warning, "the replica \(address) of \(name) was promoted and is master now")
        await service.control.record(
            what: "promote", subject: "\(address)", before: "replica of \(master.address)", after: "master")
        return shard
    }

    /// A node's number as people count: that of its shard, where it is in one.
    private func number(of node: EmbeddedFleet.Node) -> Int {
        switch node.role {
        case .master(let shard), .replica(let shard): shard + 1
        case .outside: node.index + 1
        }
    }

    /// The node to crash so that a loss shows: the master of the most demand for SKUs that sell now and are close to their end,
    /// so that they sell out again even after a long outage.
    ///
    /// - Parameter elapsed: seconds since the opening, over which units taken give a SKU's rate.
    public func nodeForCrash(remainingSeconds: Double, elapsed: Double) async -> Int {
        var demand = [Double](repeating: 0, count: fleet.nodes.count)
        for (number, reading) in await readStocks() where reading.stock > 0 && reading.taken > 0 {
            let rate = Double(reading.taken) / max(elapsed, 0.1)
            let secondsLeft = Double(reading.stock) / rate
            guard secondsLeft < remainingSeconds * 0.15, let entry = service.catalogue[number],
                let bucket = service.catalogue[entry.bucket],
                let address = service.cluster.master(ofSlot: HashSlot.of("{\(bucket.tag)}")),
                let node = fleet.index(at: address)
            else { continue }
            demand[node] += rate
        }
        return demand.indices.max { demand[$0] < demand[$1] } ?? 0
    }
}
