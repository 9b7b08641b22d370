import Telemetry
import Testing

/// What screens tell of latencies is the last minute, not all that ever was.
@Suite struct LatencyWindowTests {
    @Test("a slow minute is forgotten a minute later, and never by what is counted since the start")
    func slides() {
        let recorder = LatencyRecorder()
        let start = ContinuousClock.now
        recorder.record(.seconds(2), count: 100)
        #expect(abs(recorder.recent(now: start).p99Milliseconds - 2_000) < 25)
        for second in 1...58 {
            recorder.record(.milliseconds(5), count: 100)
            let recent = recorder.recent(now: start + .seconds(second))
            #expect(recent.count == UInt64(100 + 100 * second))
            #expect(recent.maxMilliseconds > 1_900)
        }
        for second in 59...125 {
            recorder.record(.milliseconds(5), count: 100)
            let recent = recorder.recent(now: start + .seconds(second))
            if second >= 66 {
                #expect(recent.p99Milliseconds < 6)
                #expect(recent.maxMilliseconds < 6)
                #expect((6_000...6_600).contains(recent.count))
            }
        }
        #expect(recorder.summary.count == 12_600)
        #expect(recorder.summary.maxMilliseconds > 1_900)
    }

    @Test("the percentiles of the window are those of its values")
    func percentiles() {
        let recorder = LatencyRecorder()
        let start = ContinuousClock.now
        recorder.record(.milliseconds(900), count: 5_000)
        _ = recorder.recent(now: start)
        _ = recorder.recent(now: start + .seconds(61))
        for milliseconds in 1...100 { recorder.record(.milliseconds(milliseconds)) }
        let recent = recorder.recent(now: start + .seconds(62))
        #expect(recent.count == 100)
        #expect(abs(recent.p50Milliseconds - 50) < 1)
        #expect(abs(recent.p99Milliseconds - 99) < 1.5)
        #expect(abs(recent.maxMilliseconds - 100) < 1.5)
    }

    @Test("after an idle minute nothing is known")
    func idle() {
        let recorder = LatencyRecorder()
        let start = ContinuousClock.now
        recorder.record(.milliseconds(5))
        #expect(recorder.recent(now: start).count == 1)
        #expect(recorder.recent(now: start + .seconds(30)).count == 1)
        #expect(recorder.recent(now: start + .seconds(61)).count == 0)
        #expect(recorder.recent(now: start + .seconds(300)).p99Milliseconds == 0)
    }
}
