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
                sentence: "node \(node + 1) is down already; nothing was crashed", succeeded: false)
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
            try? await ContinuousClock().sleep(for: configuration.crashPause)
            if let shard = try await promoteReplica(of: nodes[node], name: name) {
                try await fleet.restart(node)
                try await fleet.rejoin(node, shard: shard)
                service.events.add(.good, "\(name) is back and copies the new master")
                return SaleControl.Report(
                    sentence: "\(name) was killed; its replica took over, and it came back as a replica",
                    succeeded: true)
            }
            try await fleet.restart(node)
            let state = configuration.durability == .aof ? "with what its append-only file holds" : "empty"
            service.events.add(.warning, "\(name) is back, \(state)")
            return SaleControl.Report(sentence: "\(name) was killed and came back \(state)", succeeded: true)
        } catch {
            return SaleControl.Report(sentence: "crash of \(name): \(error)", succeeded: false)
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
