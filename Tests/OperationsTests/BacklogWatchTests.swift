import Inventory
import Testing

@testable import Operations

@Suite("The age of a backlog that somebody else drains")
struct BacklogWatchTests {
    private let bucket = BucketNumber(rawValue: 1)
    private let other = BucketNumber(rawValue: 2)
    private let start = ContinuousClock.now

    private func id(_ n: Int64) -> OutboxID { OutboxID(epoch: Epoch(rawValue: 1), n: n) }

    @Test("grows while SQL stands still, begins anew where it moves, and is nothing without a backlog")
    func age() {
        var watch = BacklogWatch()
        #expect(watch.longest(now: start) == .zero)
        watch.note(bucket, entries: 5, drained: id(10), now: start)
        watch.note(other, entries: 1, drained: id(3), now: start + .seconds(20))
        watch.note(bucket, entries: 900, drained: id(10), now: start + .seconds(30))
        #expect(watch.longest(now: start + .seconds(30)) == .seconds(30))
        watch.note(bucket, entries: 400, drained: id(510), now: start + .seconds(31))
        #expect(watch.longest(now: start + .seconds(31)) == .seconds(11))
        watch.note(other, entries: 0, drained: id(4), now: start + .seconds(32))
        #expect(watch.longest(now: start + .seconds(32)) == .seconds(1))
        watch.note(bucket, entries: 0, drained: id(910), now: start + .seconds(33))
        #expect(watch.longest(now: start + .seconds(33)) == .zero)
    }
}
