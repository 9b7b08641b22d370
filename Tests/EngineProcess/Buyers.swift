import Deduction
import EngineHistory
import Inventory
import Lab
import Operations
import OrderStore

/// Buyers who write down what they ask before they ask it, and what they hear.
struct Buyers {
    /// Questions of one order until its buyer gives up: an engine that is never answered must not hang its test.
    private static let askedMax = 8
    private static let atOnce = 8

    let service: SaleService
    let history: HistoryWriter
    private let clock = ContinuousClock()

    init(service: SaleService, history: HistoryWriter) {
        self.service = service
        self.history = history
    }

    // MARK: New orders

    /// Places orders, the first half one after another, the rest several at once.
    func buy(_ count: Int, seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        var flows = FlowIDGenerator()
        let orders = try (0..<count).map { _ in
            try order(flows.next(milliseconds: WallClock.milliseconds, random: random.next()), &random)
        }
        for (position, order) in orders.prefix(count / 2).enumerated() { await serve(order, position) }
        await withTaskGroup(of: Void.self) { group in
            var rest = orders.enumerated().dropFirst(count / 2).makeIterator()
            func addOne() {
                guard let (position, order) = rest.next() else { return }
                group.addTask { await serve(order, position) }
            }
            for _ in 0..<Self.atOnce { addOne() }
            while await group.next() != nil { addOne() }
        }
    }

    /// Every third order wants something from a second bucket, too.
    private func order(_ flow: FlowID, _ random: inout SplitMix64) throws -> Order {
        let buckets = service.catalogue.buckets.shuffled(using: &random).prefix(random.next() % 3 == 0 ? 2 : 1)
        let lines = buckets.flatMap { bucket in
            bucket.skus.shuffled(using: &random).prefix(Int.random(in: 1...2, using: &random)).map {
                OrderLine(sku: $0, quantity: Int32.random(in: 1...3, using: &random))
            }
        }
        return try Order.across(flow: flow, lines: lines, catalogue: service.catalogue)
    }

    /// One order from its question to its payment, or to its end.
    private func serve(_ order: Order, _ position: Int) async {
        history.add("invoke \(order.flow) \(EngineHistory.text(of: order.allLines))")
        switch await service.engine.deduct(order) {
        case .done:
            history.add("ok \(order.flow)")
            await goOn(order, position)
        case .refused(let refusal): history.add("fail \(order.flow) \(refusal.rawValue)")
        case .unknown(let uncertainty): history.add("info \(order.flow) \(uncertainty.rawValue)")
        }
    }

    private func goOn(_ order: Order, _ position: Int) async {
        switch position % 4 {
        case 0:
            history.add("paying \(order.flow) yes")
            await pay(order, succeeded: true)
        case 1:
            history.add("cancelling \(order.flow)")
            await cancel(order)
        case 2:
            history.add("paying \(order.flow) no")
            await pay(order, succeeded: false)
        default: break
        }
    }

    private func pay(_ order: Order, succeeded: Bool) async {
        // Below `durable` SQL hears of the order later than its buyer: a payment waits for it.
        for _ in 0..<100 {
            switch await service.engine.record([Payment(order: order, succeeded: succeeded)])?.first {
            case .confirmed: history.add("paid \(order.flow) confirmed")
            case .cancelled: history.add("paid \(order.flow) cancelled")
            case .already(let sold): history.add("paid \(order.flow) \(sold ? "confirmed" : "cancelled")")
            case .refunded: history.add("paid \(order.flow) cancelled")
            case .reservedAgain: history.add("paid \(order.flow) cancelled")
            case .waiting, .reservingAgain, nil:
                try? await clock.sleep(for: .milliseconds(20))
                continue
            }
            return
        }
    }

    private func cancel(_ order: Order) async {
        for _ in 0..<Self.askedMax {
            switch await service.engine.cancel(order) {
            case .cancelled: history.add("cancelled \(order.flow) cancelled")
            case .sold: history.add("cancelled \(order.flow) sold")
            case .conflict: history.add("cancelled \(order.flow) conflict")
            case .unknown: continue
            }
            return
        }
    }

    // MARK: After somebody died

    /// Finishes what was asked and not answered, under the same flows; and asks every order that was told yes once more.
    func finish(_ before: EngineHistory) async {
        for entry in before.entries {
            guard let order = try? Order.across(flow: entry.flow, lines: entry.lines, catalogue: service.catalogue)
            else {
                continue
            }
            if !entry.isDecided { await decide(order) }
            if let payment = entry.payment, entry.paid == nil { await pay(order, succeeded: payment) }
            if entry.cancelling, entry.cancelled == nil { await cancel(order) }
            if entry.mustStand { await askAgain(order) }
        }
    }

    /// A no after an unknown attempt is final only once its cancellation was answered.
    private func decide(_ order: Order) async {
        for _ in 0..<Self.askedMax {
            switch await service.engine.deduct(order, isRetry: true) {
            case .done:
                history.add("ok \(order.flow)")
                return
            case .refused(let refusal):
                history.add("fail \(order.flow) \(refusal.rawValue)")
                return
            case .unknown:
                if await service.engine.cancel(order) == .cancelled {
                    history.add("fail \(order.flow) cancelled")
                    return
                }
            }
        }
    }

    private func askAgain(_ order: Order) async {
        for _ in 0..<Self.askedMax {
            switch await service.engine.deduct(order, isRetry: true) {
            case .done: history.add("again \(order.flow) yes")
            case .refused(let refusal): history.add("again \(order.flow) \(refusal.rawValue)")
            case .unknown: continue
            }
            return
        }
        history.add("again \(order.flow) unknown")
    }
}
