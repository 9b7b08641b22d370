import Deduction
import Inventory
import Redis
import Telemetry

/// Tells which nodes stopped answering, and which answer again.
struct NodeTeller {
    struct Node {
        let address: String
        let isUp: Bool
        let buckets: Int
    }

    private var wereUp: [Bool] = []

    mutating func tell(_ nodes: [Node], to events: EventLog) {
        for (index, node) in nodes.enumerated() {
            let wasUp = index < wereUp.count ? wereUp[index] : true
            if wasUp && !node.isUp {
                events.add(
                    .bad,
                    "node \(index + 1) (\(node.address)) does not answer: its \(node.buckets.counted("bucket")) do not sell, and calls "
                        + "under way have no known outcome", of: .nodeDown, node.address)
            } else if !wasUp && node.isUp {
                events.add(.info, "node \(index + 1) (\(node.address)) answers again", of: .nodeDown, node.address)
            }
        }
        wereUp = nodes.map(\.isUp)
    }
}

/// Watches whether the nodes answer for their buckets, where no screen samples them: a server may be dead, stopped, or hold its clients up
/// while its connections stand.
struct NodeWatch {
    /// How long a node may take to answer.
    static let timeout = Duration.milliseconds(400)
    /// Pause between two looks.
    static let pause = Duration.milliseconds(200)
    /// Looks in a row without an answer before a node counts as down: a busy server is late once.
    static let missesMax = 2
    /// Buckets of a node that are asked in one look; one that answers is enough.
    static let bucketsAskedMax = 3

    let service: SaleService
    private let slots: [Int]

    init(_ service: SaleService) {
        self.service = service
        slots = service.catalogue.buckets.map { HashSlot.of("{\($0.tag)}") }
    }

    /// Watches until cancelled.
    func run() async {
        var teller = NodeTeller()
        var misses: [String: Int] = [:]
        while !Task.isCancelled {
            var nodes: [NodeTeller.Node] = []
            for (node, members, answers) in await look() {
                let address = node.address.description
                misses[address] = answers ? 0 : misses[address, default: 0] + 1
                nodes.append(
                    .init(address: address, isUp: misses[address]! < Self.missesMax, buckets: members))
            }
            if Task.isCancelled { return }
            teller.tell(nodes, to: service.events)
            try? await service.clock.sleep(for: Self.pause)
        }
    }

    /// Every node, how many buckets it has, and whether it answers for one of them.
    private func look() async -> [(node: RedisNodeStatus, buckets: Int, answers: Bool)] {
        var all: [(node: RedisNodeStatus, buckets: Int, answers: Bool)] = []
        let nodes = service.cluster.status
        let members = nodes.map { node in
            slots.indices.filter { position in node.slotRanges.contains { $0.contains(slots[position]) } }
        }
        let answering = await withTaskGroup(of: (Int, Bool).self) { group in
            for (index, members) in members.enumerated() {
                for position in members.prefix(Self.bucketsAskedMax) {
                    group.addTask {
                        let answers = await self.answers(position)
                        return (index, answers)
                    }
                }
            }
            var some: Set<Int> = []
            for await (index, answers) in group where answers { some.insert(index) }
            return some
        }
        for (index, node) in nodes.enumerated() {
            let answers = members[index].isEmpty ? node.isUp : answering.contains(index)
            all.append((node, members[index].count, answers))
        }
        return all
    }

    private func answers(_ position: Int) async -> Bool {
        await service.cut(service.catalogue.buckets[position].withoutSKUs, within: Self.timeout) != nil
    }
}

extension SaleService {
    /// Tells of nodes that do not answer, until cancelled: for whoever has no `WarRoomSampler`, which tells it too.
    public func watchNodes() async { await NodeWatch(self).run() }
}
