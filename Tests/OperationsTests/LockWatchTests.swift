import Inventory
import OrderStore
import Telemetry
import Testing

@testable import Operations

/// Who keeps SQL's write lock.
@Suite("A locked order store")
struct LockWatchTests {
    private func record(_ n: Int64) -> BucketRecord {
        BucketRecord(
            bucket: BucketNumber(rawValue: 1), epoch: Epoch(rawValue: 2), state: .open,
            drainedThrough: OutboxID(epoch: Epoch(rawValue: 2), n: n))
    }

    @Test("is said of a process that writes for long while nothing moves")
    func held() {
        var watch = LockWatch()
        let start = ContinuousClock.now
        let writer = StoreWriter(process: 412, name: "sqlite3")
        for look in 0..<LockWatch.looksMin {
            #expect(watch.sentence(now: start + .seconds(look)) == nil)
            watch.note(writer, [record(7)], now: start + .seconds(look))
        }
        let sentence = watch.sentence(now: start + .seconds(9))
        #expect(
            sentence?.contains("process 412 (sqlite3) has held its write lock for 9 s") == true, "\(sentence ?? "")")
        watch.note(nil, [record(7)], now: start + .seconds(10))
        #expect(watch.sentence(now: start + .seconds(10)) == nil)
    }

    @Test("is not said of an engine that is met writing again and again")
    func engineAtWork() {
        var watch = LockWatch()
        let writer = StoreWriter(process: 412, name: "sellout")
        for look in 0..<20 {
            watch.note(writer, [record(Int64(look))], now: .now)
            #expect(watch.sentence(now: .now) == nil)
        }
    }
}
