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
    private let underWay = Mutex(Set<FlowID>())
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
                    let flow = giveBack.order.flow
                    let isNew = underWay.withLock { $0.count < Self.underWayMax && $0.insert(flow).inserted }
                    guard isNew else { continue }
                    group.addTask { [self] in
                        // Where Redis holds another order under the flow there is nothing to give back: it stays pending,
                        // where it is counted and seen, and is not sent again.
                        if await engine.release(giveBack.order) == .conflict { return }
                        _ = underWay.withLock { $0.remove(flow) }
                    }
                }
                for restock in (try? await store.pendingRestocks()) ?? [] {
                    _ = await acts.apply(restock, patience: .milliseconds(200))
                }
                try? await clock.sleep(for: interval)
            }
        }
    }
}
