import Inventory
import OrderStore
import SaleRig
import Synchronization
import Testing

@testable import Deduction

/// How long a payment waits for its order: by the clock that nobody sets, and until SQL has what the outboxes held.
@Suite("Late payments", .timeLimit(.minutes(5)))
struct LatePaymentTests {
    /// Two clocks set by hand.
    private final class SetTime: SaleClock.Source {
        private let start = ContinuousClock.now
        private let startMilliseconds = Int64(WallClock.milliseconds)
        private let offsets = Mutex((real: Duration.zero, wallMilliseconds: Int64(0)))
        var now: ContinuousClock.Instant { start + offsets.withLock { $0.real } }
        var unixMilliseconds: UInt64 { UInt64(startMilliseconds + offsets.withLock { $0.wallMilliseconds }) }
        func sleep(until deadline: ContinuousClock.Instant) async throws {}
        /// Time passes, on both clocks.
        func pass(_ seconds: Int64) {
            offsets.withLock {
                $0.real += .seconds(seconds)
                $0.wallMilliseconds += seconds * 1_000
            }
        }
        /// Somebody sets the wall clock.
        func setWall(ahead seconds: Int64) { offsets.withLock { $0.wallMilliseconds += seconds * 1_000 } }
    }

    private func worker(_ rig: SaleRig, _ time: SetTime) async throws -> LatePaymentWorker {
        LatePaymentWorker(
            engine: try await rig.makeEngine(), store: rig.store,
            ends: OutboxEnds(catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts),
            clock: SaleClock(time))
    }

    private func look(_ worker: LatePaymentWorker, times: Int = 4) async throws {
        for _ in 0..<times { try await worker.settleWaiting() }
    }

    @Test("an order that still lies in the outbox is not given up: not by a clock set forward, not by patience alone")
    func keepsWhatMayCome() async throws {
        try await SaleRig.with(units: [10], durability: .memory) { rig async throws in
            let time = SetTime()
            let worker = try await worker(rig, time)
            let order = rig.order(1, 4)
            #expect(try await rig.deduct([order]) == "1 D")
            let paid = CommitBatch(payments: [Payment(order: order, succeeded: true)])
            #expect(try await rig.store.commit(paid).payments == [.waiting])
            try await look(worker)
            time.setWall(ahead: 2_400)
            try await look(worker)
            #expect(try await rig.store.paymentTotals().waiting == 1)
            // Nobody drains for a minute: it lies there all the same.
            time.pass(60)
            try await look(worker)
            #expect(try await rig.store.paymentTotals().waiting == 1)
            try await rig.drain()
            try await look(worker)
            #expect(try await rig.counters().sold == 4)
            #expect(try await rig.store.paymentTotals() == PaymentTotals())
        }
    }

    @Test("an order that never came is given up once everything that was there has come, and patience is over")
    func givesUpWhatCannotCome() async throws {
        try await SaleRig.with(units: [10], durability: .memory) { rig async throws in
            let time = SetTime()
            let worker = try await worker(rig, time)
            let (never, other) = (rig.order(), rig.order())
            #expect(try await rig.deduct([other]) == "1 D")
            let paid = CommitBatch(payments: [Payment(order: never, succeeded: true)])
            #expect(try await rig.store.commit(paid).payments == [.waiting])
            // A clock that is set back keeps nothing longer.
            time.setWall(ahead: -2_400)
            try await look(worker)
            try await rig.drain()
            time.pass(1)
            try await look(worker)
            #expect(try await rig.store.paymentTotals().waiting == 1)
            time.pass(2)
            try await look(worker)
            #expect(try await rig.store.refunds(limit: 9).map(\.reason) == [.lost])
            #expect(worker.status.refunded == 1)
        }
    }

    /// A payment whose reservation expired, and which waits to be reserved again.
    private func lateOrder(_ rig: SaleRig) async throws -> LatePayment {
        let order = rig.order(1, 4)
        #expect(try await rig.deduct([order]) == "1 D")
        try await rig.drain()
        _ = try await rig.store.expire(now: .max, limit: 10)
        #expect(try await rig.release([order]) == "2 R")
        try await rig.drain()
        let paid = CommitBatch(payments: [Payment(order: order, succeeded: true)])
        #expect(try await rig.store.commit(paid).payments == [.reservingAgain(.expired)])
        return try #require(try await rig.store.paymentsToReserveAgain(limit: 9).first)
    }

    @Test(
        "while a bucket is fenced its late payments wait, whether it was known before or is met while asking",
        arguments: [true, false])
    func reserveAgainWhileFenced(isKnown: Bool) async throws {
        try await SaleRig.with(
            units: [10], reservationTimeoutMilliseconds: 60_000, latePayments: .reserveAgain
        ) { rig async throws in
            let late = try await lateOrder(rig)
            var configuration = DeductionEngine.Configuration()
            configuration.orderTimeout = .milliseconds(200)
            let engine = try await rig.makeEngine(configuration: configuration)
            let worker = LatePaymentWorker(
                engine: engine, store: rig.store,
                ends: OutboxEnds(catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts))
            try await SaleRig.running([{ await engine.run() }]) {
                try await rig.redis("DEL", rig.keys.control)
                if isKnown {
                    #expect(await engine.deduct(rig.order()) == .refused(.fenced))
                } else {
                    // Somebody had begun, so the next attempt is a retry: it waits for the bucket until its time is over.
                    let flow = late.order.flow.again(milliseconds: 1, digest: late.order.digest)
                    #expect(try await rig.store.linkReservation(of: late.order, again: flow) == flow)
                }
                for _ in 0..<3 { try await worker.reserveAgain(late) }
                let waiting = try await rig.store.paymentTotals()
                #expect(waiting.reservingAgain == 1 && waiting.refundsPending == 0, "\(waiting)")
                try await rig.recover()
                try await eventually("the bucket sells") { engine.laneStatuses.allSatisfy(\.isOpen) }
                try await worker.reserveAgain(late)
                let ended = try await rig.store.paymentTotals()
                #expect(ended.reservedAgain == 1 && ended.refundsPending == 0, "\(ended)")
                #expect(try await rig.counters().sold == 4)
                #expect(try await rig.stock() == 6)
            }
        }
    }

    // MARK: Patience as a value

    private let start = ContinuousClock.now
    private let payments = (1...3).map {
        PaymentPosition(flow: FlowID(high: UInt64($0), low: 7), digest: OrderDigest(rawValue: 5))
    }
    private let bucket = BucketNumber(rawValue: 1)

    private func record(_ epoch: Int64, _ state: BucketState = .open, through n: Int64) -> BucketRecord {
        BucketRecord(bucket: bucket, epoch: Epoch(rawValue: epoch), state: state, drainedThrough: id(epoch, n))
    }
    private func id(_ epoch: Int64, _ n: Int64) -> OutboxID { OutboxID(epoch: Epoch(rawValue: epoch), n: n) }

    private func overdue(_ patience: PaymentPatience, after seconds: Int64, isSelling: Bool = true) -> Int {
        patience.overdue(
            now: start + .seconds(seconds), isSelling: isSelling, patience: .seconds(30), outagePatience: .seconds(600)
        ).count
    }

    @Test("a mark is reached when SQL has drained as far in its epoch, or when a newer epoch is open")
    func marks() {
        for (reached, isEnough) in [
            (record(3, through: 8), false), (record(3, through: 9), true), (record(4, .recovering, through: 0), false),
            (record(4, through: 0), true),
        ] {
            var patience = PaymentPatience()
            patience.saw([payments[0]], at: start)
            patience.endLook()
            patience.drained([record(3, through: 8)])
            patience.reach([bucket: id(3, 9)], askedAt: start + .seconds(1))
            patience.drained([reached])
            #expect(overdue(patience, after: 31) == (isEnough ? 1 : 0), "\(reached)")
            #expect(overdue(patience, after: 29) == 0)
            #expect(overdue(patience, after: 31, isSelling: false) == 0)
        }
    }

    @Test("a mark that was set before a payment came says nothing about it; who ended is forgotten")
    func marksAndNewcomers() {
        var patience = PaymentPatience()
        patience.saw([payments[0], payments[2]], at: start)
        patience.endLook()
        patience.reach([bucket: id(3, 9)], askedAt: start)
        patience.beginLook()
        patience.saw([payments[0], payments[1]], at: start + .seconds(1))
        patience.endLook()
        patience.drained([record(3, through: 9)])
        #expect(overdue(patience, after: 60) == 1)
        patience.reach([bucket: id(3, 9)], askedAt: start + .seconds(2))
        patience.drained([record(3, through: 9)])
        #expect(overdue(patience, after: 60) == 2)
    }

    @Test(
        "where nobody says what the outboxes hold, money waits as long as an outage may last, counted from its beginning"
    )
    func darkness() {
        var patience = PaymentPatience()
        patience.saw([payments[0]], at: start)
        patience.endLook()
        patience.reach(nil, askedAt: start + .seconds(100))
        #expect(overdue(patience, after: 601) == 0)
        #expect(overdue(patience, after: 700) == 1)
        patience.reach([bucket: id(3, 9)], askedAt: start + .seconds(650))
        #expect(overdue(patience, after: 10_000) == 0)
    }

    @Test("lines are asked for again under a flow that everybody makes alike, later than the first")
    func flowsAgain() {
        let flow = FlowID(high: 5_000 << 16 | 0x7003, low: 0x8000_0000_0000_0001)
        let digest = OrderDigest(rawValue: 77)
        let again = flow.again(milliseconds: 6_000, digest: digest)
        #expect(again == flow.again(milliseconds: 6_000, digest: digest))
        #expect(again != flow && again.milliseconds == 6_000 && again.high & 0xf000 == 0x7000)
        #expect(again.low >> 62 == 2)
        #expect(flow.again(milliseconds: 4_000, digest: digest).milliseconds == 5_000)
        #expect(again.low != flow.again(milliseconds: 6_000, digest: OrderDigest(rawValue: 78)).low)
    }

    @Test("a wall clock that jumps ahead is believed once what was promised before has had its time")
    func calmTime() {
        var time = CalmTime()
        func ask(wall: Int64, _ seconds: Int64, known: Int64? = nil) -> Int64? {
            time.milliseconds(wall: wall, now: start + .seconds(seconds), hold: .seconds(100), known: known)
        }
        #expect(ask(wall: 50_000, -1) == nil && !time.hasBegun)
        #expect(ask(wall: 50_000, 0, known: 49_900) == 50_000)
        #expect(ask(wall: 60_500, 10) == 60_500)
        #expect(ask(wall: 2_400_000, 20) == 70_500)
        #expect(time.aheadMilliseconds == 2_400_000 - 70_500)
        #expect(ask(wall: 2_499_000, 119) == 169_500)
        #expect(ask(wall: 2_500_000, 120) == 2_500_000)
        #expect(time.aheadMilliseconds == 0)
        // Set back: believed at once; set forward again: not.
        #expect(ask(wall: 100_000, 121) == 100_000)
        #expect(ask(wall: 2_500_000, 122) == 101_000)
    }

    @Test("a first reading is believed where it agrees with what is known, and else is a jump")
    func firstReading() {
        func first(wall: Int64, known: Int64) -> (CalmTime, Int64?) {
            var time = CalmTime()
            let milliseconds = time.milliseconds(wall: wall, now: start, hold: .seconds(100), known: known)
            return (time, milliseconds)
        }
        #expect(first(wall: 50_000, known: 49_000).1 == 50_000)
        // Set back, or somebody else's was ahead: believed at once.
        #expect(first(wall: 50_000, known: 90_000).1 == 50_000)
        var (time, read) = first(wall: 3_650_000, known: 50_000)
        #expect(read == 50_000 && time.aheadMilliseconds == 3_600_000)
        read = time.milliseconds(wall: 3_749_000, now: start + .seconds(99), hold: .seconds(100), known: 7)
        #expect(read == 149_000)
        read = time.milliseconds(wall: 3_750_000, now: start + .seconds(100), hold: .seconds(100))
        #expect(read == 3_750_000)
    }

    @Test("a sweeper that starts right after the clock was set forward ends nothing early, and all of it in the end")
    func sweeperAfterJump() async throws {
        try await SaleRig.with(units: [10], reservationTimeoutMilliseconds: 60_000) { rig async throws in
            let order = rig.order(1, 4)
            #expect(try await rig.deduct([order]) == "1 D")
            try await rig.drain()
            let time = SetTime()
            time.setWall(ahead: 3_600)
            var configuration = ReservationSweeper.Configuration()
            configuration.jumpHold = .seconds(60)
            func sweeper() -> ReservationSweeper {
                ReservationSweeper(store: rig.store, configuration: configuration, clock: SaleClock(time))
            }
            let first = sweeper()
            #expect(try await first.sweep())
            let reserved = try await rig.counters().reserved
            #expect(reserved == 4 && first.status.clockAheadMilliseconds > 3_590_000)
            time.pass(30)
            #expect(try await first.sweep())
            // Another starts where that one was.
            let second = sweeper()
            time.pass(25)
            #expect(try await second.sweep())
            #expect(try await rig.counters().reserved == 4)
            time.pass(10)
            #expect(try await first.sweep())
            let left = try await rig.counters().reserved
            #expect(left == 0 && first.status.expired == 1)
            time.pass(60)
            _ = try await second.sweep()
            #expect(second.status.clockAheadMilliseconds == 0)
        }
    }
}
