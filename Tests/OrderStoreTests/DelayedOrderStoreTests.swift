import Inventory
import OrderStore
import Synchronization
import Testing

/// The clock by which a test decides when a delay ends.
private final class HandClock: Clock {
    struct Instant: InstantProtocol {
        let offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }
    private let asleep = Mutex<[(Instant, CheckedContinuation<Void, Never>)]>([])
    private let sleeps = AsyncStream.makeStream(of: Instant.self)
    let now = Instant(offset: .zero)
    let minimumResolution = Duration.nanoseconds(1)

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        await withCheckedContinuation { continuation in
            asleep.withLock { $0.append((deadline, continuation)) }
            sleeps.continuation.yield(deadline)
        }
    }
    /// Waits until somebody sleeps; returns until when.
    func nextSleep() async -> Duration? {
        for await deadline in sleeps.stream { return deadline.offset }
        return nil
    }
    func wake() {
        let woken = asleep.withLock { sleepers in
            defer { sleepers = [] }
            return sleepers
        }
        for (_, continuation) in woken { continuation.resume() }
    }
}

@Suite struct DelayedOrderStoreTests {
    @Test func onlyCommitsWait() async throws {
        let fixture = try await Fixture(StoreKind.all[0])
        let clock = HandClock()
        let delayed = DelayedOrderStore(fixture.store, delay: .seconds(3), clock: clock)
        let epoch = try await fixture.open(fixture.bucket, in: delayed)
        let entry = EntrySettlement(
            bucket: fixture.bucket, id: .init(epoch: epoch, n: 1), action: .deduct([try fixture.order(1)]))
        async let result = delayed.commit(CommitBatch(entries: [entry]))
        #expect(await clock.nextSleep() == .seconds(3))
        // It sleeps now: nothing came through, and what is no commit does.
        #expect(try await delayed.skuCounters()[0].reserved == 0)
        #expect(try await delayed.cancel([fixture.order(2)]) == [.cancelled])
        clock.wake()
        #expect(try await result.entries[0].words == "settled")
        #expect(try await delayed.skuCounters()[0].reserved == 1)
    }
}
