import Checker
import Inventory
import Redis

/// Does to a floor what a plan says, and mends it again.
struct Nemesis: Sendable {
    let floor: TortureFloor
    private let clock = ContinuousClock()

    init(floor: TortureFloor) { self.floor = floor }

    private var fleet: EmbeddedFleet { floor.fleet }

    /// Carries out a fault to its end: what was stopped goes on, what was killed is back.
    func inflict(_ planned: PlannedFault) async {
        let name = planned.fault.rawValue
        floor.record.fault(name, begins: true, "target \(planned.target % 97), \(planned.span)")
        do {
            try await perform(planned)
            floor.record.fault(name, begins: false)
        } catch {
            floor.record.fault(name, begins: false, "\(error)")
        }
    }

    private func perform(_ planned: PlannedFault) async throws {
        switch planned.fault {
        case .masterKill, .masterStop: try await harmMaster(planned)
        case .replicaKill, .replicaStop: try await harmReplica(planned)
        case .engineKill, .workerKill: try await killParty(planned)
        case .engineStop, .workerStop:
            let party = party(planned)
            party.pause()
            await pause(planned)
            party.resume()
        case .flushAll: try await fleet.flushAll(master(planned))
        case .scriptFlush: try await fleet.forgetScripts(master(planned))
        case .keyLoss: try await loseKey(planned)
        case .aofCut: try await cutFile(planned)
        case .promotion: try await promote(planned)
        case .sqlLocked: _ = await SQLLock.hold(path: floor.booksPath, for: planned.span)
        case .commitReplyLost, .clockJump: await turn(planned)
        case .wireDelay, .wireCut, .wireDropRequests, .wireDropReplies, .wireBlackHole, .replyLost:
            await harmWire(planned)
        }
    }

    private func pause(_ planned: PlannedFault) async { try? await clock.sleep(for: planned.span) }

    private func party(_ planned: PlannedFault) -> Party {
        let group =
            planned.fault == .workerKill || planned.fault == .workerStop ? floor.workers : floor.engines
        return group[planned.target % group.count]
    }

    private func master(_ planned: PlannedFault) -> Int {
        fleet.master(ofShard: floor.topology == .cluster ? planned.target % 3 : 0)
    }

    // MARK: Processes

    private func harmMaster(_ planned: PlannedFault) async throws {
        let master = master(planned)
        if planned.fault == .masterStop {
            try fleet.pause(master)
            await pause(planned)
            try fleet.resume(master)
        } else {
            try await fleet.crash(master)
            await pause(planned)
            // Whose yes rests on replicas promotes the one that has most, before the dead master comes back with nothing.
            if floor.sale.durability.replicas > 0, let heir = await fleet.foremostReplica() {
                try await fleet.promote(heir)
                try await fleet.restart(master)
                try await fleet.rejoin(master)
            } else {
                try await fleet.restart(master)
            }
        }
    }

    private func harmReplica(_ planned: PlannedFault) async throws {
        let replicas = fleet.replicas()
        guard !replicas.isEmpty else { return }
        let replica = replicas[planned.target % replicas.count]
        if planned.fault == .replicaStop {
            try fleet.pause(replica)
            await pause(planned)
            try fleet.resume(replica)
        } else {
            try await fleet.crash(replica)
            await pause(planned)
            try await fleet.restart(replica)
        }
    }

    private func killParty(_ planned: PlannedFault) async throws {
        let party = party(planned)
        await party.kill()
        await pause(planned)
        try await party.start()
    }

    // MARK: Data

    private func loseKey(_ planned: PlannedFault) async throws {
        let bucket = floor.sale.buckets[planned.target % floor.sale.buckets.count]
        let sku = bucket.skus[Int(planned.dice >> 8) % bucket.skus.count]
        let tag = "{\(bucket.tag)}"
        switch planned.dice % 6 {
        case 0: _ = try await fleet.delete(key: "ss_\(tag)\(sku.text)")
        case 1: _ = try await fleet.delete(key: "sx_\(tag)\(sku.text)")
        case 2: _ = try await fleet.delete(key: "sc_\(tag)")
        case 3: _ = try await fleet.delete(key: "so_\(tag)")
        case 4: _ = try await fleet.delete(field: [UInt8(ascii: "#")], ofKey: "sx_\(tag)\(sku.text)")
        default: _ = try await fleet.delete(field: Array("epoch".utf8), ofKey: "sc_\(tag)")
        }
    }

    /// The master comes back with an older state of its data.
    private func cutFile(_ planned: PlannedFault) async throws {
        let master = master(planned)
        let size = try fleet.appendOnlyBytes(master)
        await pause(planned)
        try await fleet.crash(master)
        try fleet.cutAppendOnly(master, toBytes: min(size, try fleet.appendOnlyBytes(master)))
        try await fleet.restart(master)
    }

    /// A replica that fell behind is promoted; the former master, dead or alive, comes back as a replica.
    private func promote(_ planned: PlannedFault) async throws {
        let replicas = fleet.replicas()
        guard !replicas.isEmpty else { return }
        let (old, new) = (fleet.master(), replicas[planned.target % replicas.count])
        try fleet.setReplicationFaults(.deadToClient, of: new)
        await pause(planned)
        let isDead = planned.dice % 2 == 0
        if isDead { try await fleet.crash(old) }
        try await fleet.promote(new)
        // Not before: a link that is well again brings the tail of a master that lives.
        try fleet.setReplicationFaults(.none, of: new)
        if isDead { try await fleet.restart(old) }
        try await fleet.rejoin(old)
    }

    // MARK: Inside parties

    private func turn(_ planned: PlannedFault) async {
        let party = floor.parties[planned.target % floor.parties.count]
        if planned.fault == .commitReplyLost {
            _ = await party.ask("fault commit \(20 + planned.dice % 60)", within: .seconds(2))
        } else {
            // Up to an hour, forwards or back.
            let milliseconds = Int64(planned.dice % 7_200_000) - 3_600_000
            _ = await party.ask("fault clock \(milliseconds)", within: .seconds(2))
        }
        await pause(planned)
        await quieten(party)
    }

    private func quieten(_ party: Party) async {
        _ = await party.ask("fault commit 0", within: .seconds(2))
        _ = await party.ask("fault clock 0", within: .seconds(2))
    }

    // MARK: Wires

    private func harmWire(_ planned: PlannedFault) async {
        let wire = floor.wires[planned.target % floor.wires.count]
        let audience: WireAudience = floor.topology == .cluster ? .clients : .everyone
        let delay = Duration.milliseconds(Int64(20 + planned.dice % 400))
        switch planned.fault {
        case .wireDelay: wire.setFaults(.delay(toServer: delay, toClient: delay), for: audience)
        case .wireCut: wire.cutAll()
        case .wireDropRequests: wire.setFaults(.deadToServer, for: audience)
        case .wireDropReplies: wire.setFaults(.deadToClient, for: audience)
        case .wireBlackHole: wire.setFaults(.blackHole, for: audience)
        default:
            wire.loseReplies(Int(1 + planned.dice % 20)) {
                ["EVALSHA", "EVAL"].contains($0.text(0).uppercased())
            }
        }
        await pause(planned)
        wire.heal()
    }

    // MARK: Healing

    /// Mends whatever a fault may have left, also one that failed half way: everything runs, nothing is harmed any more.
    func healAll() async throws {
        for wire in floor.wires { wire.heal() }
        if floor.topology != .single { fleet.healWires() }
        for node in fleet.nodes {
            if node.isUp { try? fleet.resume(node.index) } else { try await fleet.restart(node.index) }
        }
        for node in fleet.nodes where node.role == .outside { try await fleet.rejoin(node.index) }
        try await fleet.alignReplicas()
        for party in floor.parties {
            party.resume()
            if party.ending != nil || !party.isReady {
                await party.kill()
                try await party.start()
            }
        }
        for party in floor.parties { await quieten(party) }
    }
}
