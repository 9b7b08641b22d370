public import Inventory
public import OrderStore
import Synchronization

/// Sees through what SQL decided and Redis has not heard of: give-backs and restocks. It resends them, under whatever epoch
/// is current, until Redis answers.
public final class GiveBackWorker: Sendable {
    /// Give-backs under way at once in buckets that sell.
    public static let underWayMax = 4_096
    /// How long one restock is tried before the next turn.
    static let restockPatience = Duration.milliseconds(200)

    private let engine: DeductionEngine
    private let store: any OrderStore
    private let acts: BucketActs
    /// By flow and bucket: two orders of one flow in one call would be told apart by nobody but the first.
    private let underWay = Mutex<[Place: Order]>([:])

    private struct Place: Hashable {
        let flow: FlowID
        let bucket: BucketNumber
        init(_ order: Order) { (flow, bucket) = (order.flow, order.bucket) }
    }
    /// What Redis answered without an entry that SQL could learn from.
    private let ends = Mutex<[GiveBackEnd]>([])
    private let clock: SaleClock

    public init(engine: DeductionEngine, store: any OrderStore, acts: BucketActs, clock: SaleClock = .system) {
        self.engine = engine
        self.store = store
        self.acts = acts
        self.clock = clock
    }

    /// Works until cancelled.
    public func run(interval: Duration = .milliseconds(50)) async {
        await withDiscardingTaskGroup { group in
            // Apart from the give-backs: a bucket that is down takes its time to say so.
            group.addTask { await self.keepRestocking(interval) }
            while !Task.isCancelled {
                let open = openBuckets()
                // What was sent to a bucket that went down since takes no room from the others.
                var room = Self.underWayMax - underWay.withLock { $0.keys.count { open.contains($0.bucket) } }
                for order in await due(open) {
                    if room <= 0 { break }
                    let isNew = underWay.withLock { underWay in
                        guard underWay[Place(order)] == nil else { return false }
                        underWay[Place(order)] = order
                        return true
                    }
                    guard isNew else { continue }
                    room -= 1
                    group.addTask { [self] in
                        switch await engine.release(order) {
                        case .already(let id), .conflict(let id):
                            // Forbidden before, or the flow carries another order there: either way Redis holds nothing of it,
                            // and never will under this flow. No entry says so, and SQL would ask for ever.
                            ends.withLock { $0.append(GiveBackEnd(order: order, id: id)) }
                        case .givenBack, .tombstone, .unknown: underWay.withLock { $0[Place(order)] = nil }
                        }
                    }
                }
                await tellEnds()
                try? await clock.sleep(for: interval)
            }
        }
    }

    private func openBuckets() -> Set<BucketNumber> { Set(engine.laneStatuses.filter(\.isOpen).map(\.bucket)) }

    /// Sends restocks until cancelled: the buckets side by side, those of one bucket in turn, and none to one that does not sell.
    private func keepRestocking(_ interval: Duration) async {
        while !Task.isCancelled {
            let open = openBuckets()
            let pending = Dictionary(grouping: (try? await store.pendingRestocks()) ?? []) {
                engine.catalogue[$0.sku]?.bucket
            }
            await withDiscardingTaskGroup { group in
                for (bucket, restocks) in pending {
                    guard let bucket, open.contains(bucket) else { continue }
                    group.addTask { [acts] in
                        for restock in restocks {
                            guard await acts.apply(restock, patience: Self.restockPatience) == .applied else { return }
                        }
                    }
                }
            }
            try? await clock.sleep(for: interval)
        }
    }

    /// What waits for buckets that sell, oldest first; where there is much, some of each: what waits for a bucket that is down
    /// keeps no other one's units from being sold again.
    private func due(_ open: Set<BucketNumber>) async -> [Order] {
        var due = (try? await store.pendingGiveBacks(limit: Self.underWayMax)) ?? []
        if due.count == Self.underWayMax {
            due.removeAll()
            let share = max(1, Self.underWayMax / max(1, open.count))
            for bucket in open {
                due += (try? await store.pendingGiveBacks(bucket: bucket, limit: share)) ?? []
            }
        }
        return due.map(\.order).filter { open.contains($0.bucket) }
    }

    private func tellEnds() async {
        let some = ends.withLock { ends in
            defer { ends = [] }
            return ends
        }
        if some.isEmpty { return }
        // Untold, they are asked again and answered again; what SQL cannot know yet is told again.
        let early = (try? await store.endGiveBacks(some)) ?? []
        ends.withLock { $0.append(contentsOf: early) }
        underWay.withLock { underWay in
            for end in some { underWay[Place(end.order)] = nil }
            for end in early { underWay[Place(end.order)] = end.order }
        }
    }
}
