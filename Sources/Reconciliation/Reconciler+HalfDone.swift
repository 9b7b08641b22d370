import Deduction
import Inventory
import OrderStore

/// Orders over several buckets of which some group never came: SQL and Redis agree on every unit of them, and yet they are
/// nobody's.
extension Reconciler {
    static let halfDoneMax = 1_000

    /// One finding for each bucket in which such orders have their first group. Younger ones are on their way; one whose beginning
    /// lies ahead by somebody's clock is of an age that nobody knows, and is told of.
    func halfDone() async -> [Finding] {
        let now = Int64(clock.unixMilliseconds)
        let young = 0..<(configuration.halfDonePatience.components.seconds * 1_000)
        let orders = ((try? await store.halfDone(limit: Self.halfDoneMax)) ?? []).filter {
            !young.contains(now - $0.sinceMilliseconds)
        }
        return Dictionary(grouping: orders, by: \.order.home).map { bucket, some in
            let units = some.reduce(0) { $0 + $1.unitsHeld }
            return Finding(
                kind: .halfDone, bucket: bucket, sku: nil, units: units, flows: some.map(\.order.flow).sorted(),
                sentence:
                    "\(some.count.counted("order")) (\(units.counted("unit"))) over several buckets were taken in part only"
            )
        }
    }
}

extension Repairer {
    /// Finishes or undoes half-done orders as the finder of a running sale does.
    func endHalfDone(_ repair: RepairPlan.Repair) async throws -> RepairPlan.State {
        var configuration = HalfDoneFinder.Configuration()
        // Found by two comparisons, they were waited for long enough.
        configuration.age = .zero
        let finder = HalfDoneFinder(
            catalogue: catalogue, cluster: cluster, scripts: scripts, store: store, configuration: configuration,
            clock: clock)
        guard try await finder.look(only: Set(repair.flows)) == 0 else {
            throw Failure(description: "a bucket of the order does not answer; apply it again once that is recovered")
        }
        return .applied
    }
}
