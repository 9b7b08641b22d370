public import Deduction
import Inventory
import OrderStore
import Synchronization

/// Many buyers at once: Zipf over the SKUs, mostly one line, now and then several within a bucket or over two, a spike at the opening,
/// retries of the same flow after an unknown answer, payments that succeed or fail.
public final class Shoppers: Sendable {
    public struct Configuration: Sendable {
        /// Attempts per second on average; `nil`: as many as the machine takes.
        public var ratePerSecond: Double? = 2_000
        /// Buyers who wait for an answer at the same time when `ratePerSecond` is `nil`.
        public var concurrency = 4_096
        public var seed: UInt64 = 1
        public var zipfExponent = 0.8
        /// Of all orders: those with a line in a second bucket, too.
        public var wideShare = 0.02
        /// Of all payments.
        public var paymentSuccess = 0.94
        /// Of all buyers who were told yes: they never pay.
        public var abandonment = 0.0
        /// How long a reservation waits, as buyers are told; `nil`: for ever.
        public var reservationTimeout: Duration?
        /// When a payment arrives after the yes.
        public var paymentDelay: ClosedRange<Double> = 0.3...1.5
        /// In the first `spikeSeconds` buyers come `spikeFactor` times as fast.
        public var spikeFactor = 3.0
        public var spikeSeconds = 2.0
        /// People who buy where SKUs are limited per buyer; every order is then one of theirs.
        public var peopleCount: UInt64 = 20_000
        public init() {}
    }

    /// Attempts under way at once with a rate; beyond it buyers find the door closed for a moment.
    public static let underWayMax = 20_000
    static let retriesMax = 6

    public let book: BuyersBook
    private let engine: DeductionEngine
    private let catalogue: Catalogue
    private let configuration: Configuration
    private let zipf: ZipfSampler
    private let checkout: Checkout
    private let namesBuyers: Bool
    private let wantedRate: Mutex<Double?>
    private let underWay = Atomic<Int>(0)
    /// The crowd that buys now; an older one goes home.
    private let crowd = Atomic<UInt64>(0)
    private let clock = ContinuousClock()

    /// - Parameter book: where every answer is kept.
    public init(engine: DeductionEngine, book: BuyersBook, configuration: Configuration) {
        self.engine = engine
        self.book = book
        self.configuration = configuration
        catalogue = engine.catalogue
        zipf = ZipfSampler(count: max(1, engine.catalogue.entries.count), exponent: configuration.zipfExponent)
        checkout = Checkout(engine: engine, book: book)
        namesBuyers = engine.catalogue.entries.contains { $0.limitPerBuyer != nil }
        wantedRate = Mutex(0)
    }

    /// Attempts per second that buyers make now, `nil`: as many as possible, 0: nobody buys.
    public var rate: Double? { wantedRate.withLock { $0 } }

    /// Orders acknowledged and not yet paid for or given up.
    public var paymentsWaiting: Int { checkout.waiting }

    /// Records payments until cancelled: buyers pay after the doors are closed, too.
    public func runCheckout() async { await checkout.run() }

    /// Sends everybody home; who asked already still hears an answer.
    public func leave() {
        crowd.add(1, ordering: .relaxed)
        wantedRate.withLock { $0 = 0 }
    }

    /// Buys for `seconds`, or until `leave` or another crowd, then waits for every answer. A crowd that is still there goes
    /// home first. Returns whether this one stayed to its end.
    @discardableResult
    public func buy(ratePerSecond: Double?, seconds: Double?, round: UInt64 = 0) async -> Bool {
        let crowd = crowd.add(1, ordering: .relaxed).newValue
        wantedRate.withLock { $0 = ratePerSecond }
        let start = clock.now
        let end = seconds.map { start + .seconds($0) }
        // A crowd has a thread of its own. In the shared pool, whatever watches and mends the sale would stand in one line with
        // twenty thousand buyers, once for each of its steps: on a busy machine the screen stood still for ten seconds, and a
        // server that answered was taken for dead.
        let street = try? CrowdExecutor()
        defer { street?.end() }
        await withTaskExecutorPreference(street) {
            if let ratePerSecond {
                await buyAtRate(ratePerSecond, from: start, until: end, crowd: crowd, round: round)
            } else {
                await buyAtFullSpeed(until: end, crowd: crowd, round: round)
            }
        }
        let isLast = self.crowd.load(ordering: .relaxed) == crowd
        if isLast { wantedRate.withLock { $0 = 0 } }
        return isLast
    }

    private func isOver(_ end: ContinuousClock.Instant?, _ crowd: UInt64) -> Bool {
        Task.isCancelled || self.crowd.load(ordering: .relaxed) != crowd || end.map { clock.now >= $0 } == true
    }

    private func buyAtFullSpeed(until end: ContinuousClock.Instant?, crowd: UInt64, round: UInt64) async {
        await withDiscardingTaskGroup { group in
            for buyer in 0..<configuration.concurrency {
                group.addTask { [self] in
                    var person = Person(
                        random: SplitMix64(seed: configuration.seed &* 0x1_0000_0001 &+ UInt64(buyer) &+ round << 40))
                    while !isOver(end, crowd) {
                        switch await attempt(&person) {
                        // Said without waiting for anybody: others are let on.
                        case .refused(.soldOut): await Task.yield()
                        // The bucket does not sell just now; a crowd that hammers it would only burn the core.
                        case .refused: try? await clock.sleep(for: .milliseconds(5))
                        case .done, .unknown: break
                        }
                    }
                }
            }
        }
    }

    private func buyAtRate(
        _ rate: Double, from start: ContinuousClock.Instant, until end: ContinuousClock.Instant?, crowd: UInt64,
        round: UInt64
    )
        async
    {
        var random = SplitMix64(seed: configuration.seed &+ round << 40)
        await withDiscardingTaskGroup { group in
            var owed = 0.0
            var last = start
            while !isOver(end, crowd) {
                let now = clock.now
                let age = start.duration(to: now).inSeconds
                let factor = age < configuration.spikeSeconds ? configuration.spikeFactor : 1
                owed += last.duration(to: now).inSeconds * rate * (rate < 50 ? 1 : factor)
                last = now
                while owed >= 1 {
                    owed -= 1
                    let seed = random.next()
                    guard underWay.load(ordering: .relaxed) < Self.underWayMax else { continue }
                    underWay.add(1, ordering: .relaxed)
                    group.addTask { [self] in
                        var person = Person(random: SplitMix64(seed: seed))
                        _ = await attempt(&person)
                        underWay.subtract(1, ordering: .relaxed)
                    }
                }
                try? await clock.sleep(for: .milliseconds(rate >= 200 ? 5 : 50))
            }
        }
    }

    /// One buyer's luck.
    private struct Person {
        var random: SplitMix64
        var flows = FlowIDGenerator()
    }

    /// One order from asking to a final answer, and its payment.
    private func attempt(_ person: inout Person) async -> DeductionOutcome {
        let order = makeOrder(&person)
        var outcome = await engine.deduct(order, attempt: .first)
        var retries = 0
        while case .unknown = outcome, retries < Self.retriesMax, !Task.isCancelled {
            retries += 1
            try? await clock.sleep(for: .milliseconds(50 * retries))
            outcome = await engine.deduct(order, isRetry: true)
        }
        switch outcome {
        case .done:
            book.acknowledge(order)
            let delay =
                configuration.paymentDelay.lowerBound
                + person.random.unit() * (configuration.paymentDelay.upperBound - configuration.paymentDelay.lowerBound)
            // The buyers know when their claim is over, so their record needs nobody's word for it.
            if configuration.abandonment > 0, person.random.unit() < configuration.abandonment {
                book.abandon(order)
                return outcome
            }
            if let timeout = configuration.reservationTimeout, .seconds(delay) >= timeout { book.lapse(order) }
            checkout.schedule(
                order, succeeds: person.random.unit() < configuration.paymentSuccess, after: .seconds(delay))
        case .refused(let refusal): book.refuse(refusal)
        case .unknown:
            // The buyer gives up. The order is over only once its cancel was answered.
            switch await engine.cancel(order) {
            case .cancelled:
                book.refuse(.cancelled)
                return .refused(.cancelled)
            case .sold, .conflict, .unknown: book.leaveUnknown()
            }
        }
        return outcome
    }

    private func makeOrder(_ person: inout Person) -> Order {
        let entry = catalogue.entries[zipf.rank(at: person.random.unit())]
        var lines = [OrderLine(sku: entry.number, quantity: quantity(&person.random))]
        let lineDraw = person.random.unit()
        if lineDraw > 0.85, let bucket = catalogue[entry.bucket], bucket.skus.count > 1 {
            let others = lineDraw > 0.96 ? 2 : 1
            for _ in 0..<others {
                let other = bucket.skus[Int(person.random.next() % UInt64(bucket.skus.count))]
                if !lines.contains(where: { $0.sku == other }) {
                    lines.append(OrderLine(sku: other, quantity: quantity(&person.random)))
                }
            }
            lines.sort { $0.sku < $1.sku }
        }
        let flow = person.flows.next(milliseconds: WallClock.milliseconds, random: person.random.next())
        // Drawn only where it matters: the same seed buys the same in every other sale.
        let buyer =
            namesBuyers
            ? BuyerID(high: 1, low: person.random.next() % max(1, configuration.peopleCount)) : nil
        if configuration.wideShare > 0, person.random.unit() < configuration.wideShare {
            let other = catalogue.entries[zipf.rank(at: person.random.unit())]
            if other.bucket != entry.bucket {
                lines.append(OrderLine(sku: other.number, quantity: 1))
                if let order = try? Order.across(flow: flow, lines: lines, catalogue: catalogue, buyer: buyer) {
                    return order
                }
            }
        }
        return Order(trustedFlow: flow, bucket: entry.bucket, sortedLines: lines, buyer: buyer)
    }

    private func quantity(_ random: inout SplitMix64) -> Int32 {
        let draw = random.unit()
        return draw < 0.8 ? 1 : draw < 0.95 ? 2 : 3
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
