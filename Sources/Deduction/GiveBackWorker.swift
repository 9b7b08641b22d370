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
    private let underWay = Mutex(Set<Order>())
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
                let due = (try? await store.pendingGiveBacks(limit: Self.underWayMax)) ?? []
                for giveBack in due {
                    let order = giveBack.order
                    let isNew = underWay.withLock { $0.count < Self.underWayMax && $0.insert(order).inserted }
                    guard isNew else { continue }
                    group.addTask { [self] in
                        switch await engine.release(order) {
                        case .already(let id), .conflict(let id):
                            // Forbidden before, or the flow carries another order there: either way Redis holds nothing of it,
                            // and never will under this flow. No entry says so, and SQL would ask for ever.
                            ends.withLock { $0.append(GiveBackEnd(order: order, id: id)) }
                        case .givenBack, .tombstone, .unknown: _ = underWay.withLock { $0.remove(order) }
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
            underWay.subtract(some.map(\.order))
            underWay.formUnion(early.map(\.order))
        }
    }
}
