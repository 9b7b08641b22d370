public import Inventory
public import OrderStore
import Synchronization

/// Sees through what SQL decided and Redis has not heard of: give-backs and restocks. It resends them, under whatever epoch
/// is current, until Redis answers.
public final class GiveBackWorker: Sendable {
    /// Give-backs under way at once.
    public static let underWayMax = 4_096

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
            while !Task.isCancelled {
                for order in await due() {
                    let isNew = underWay.withLock { underWay in
                        guard underWay.count < Self.underWayMax, underWay[Place(order)] == nil else { return false }
                        underWay[Place(order)] = order
                        return true
                    }
                    guard isNew else { continue }
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
                for restock in (try? await store.pendingRestocks()) ?? [] {
                    _ = await acts.apply(restock, patience: .milliseconds(200))
                }
                try? await clock.sleep(for: interval)
            }
        }
    }

    /// What waits for buckets that sell, oldest first; where there is much, some of each: what waits for a bucket that is down
    /// keeps no other one's units from being sold again.
    private func due() async -> [Order] {
        let open = Set(engine.laneStatuses.filter(\.isOpen).map(\.bucket))
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
