import Checker
import Inventory

/// A run written by hand: a sale of one bucket, epoch 7, whose books follow what its buyers hear, until a test makes them lie.
struct TinyRun {
    static let epoch = Epoch(rawValue: 7)
    static let bucket = BucketNumber(rawValue: 1)
    /// What one step of the history takes.
    static let step: Int64 = 1_000

    var history = History()
    var final = FinalState()
    var promise: Promise
    var now: Int64 = 0
    private var n: Int64 = 0

    init(_ durability: Durability = .durable, allocated: Int64 = 10, skus: Int32 = 2) {
        promise = Promise(durability)
        promise.acknowledgedPerSecondMin = nil
        for number in 1...skus {
            let sku = SKUNumber(rawValue: number)
            final.skus.append(
                FinalState.SKU(
                    sku: sku, bucket: Self.bucket, allocated: allocated, sold: 0, reserved: 0, redisStock: allocated,
                    redisAllocated: allocated, redisTaken: 0, redisLedger: [], allocatedAtStart: allocated))
            final.bases.append(
                FinalState.Base(
                    bucket: Self.bucket, epoch: Self.epoch.rawValue, sku: sku, taken: 0, allocated: allocated))
        }
        final.buckets = [
            FinalState.Bucket(
                bucket: Self.bucket, tag: "a", epoch: Self.epoch.rawValue, isOpen: true,
                redisEpoch: Self.epoch.rawValue, backlog: 0)
        ]
    }

    func check() -> Verdict { Checker.check(history: history, final: final, promise: promise) }

    static func flow(_ number: Int) -> FlowID { FlowID(high: 0x7000 + UInt64(number) << 16, low: 1 << 63) }
    static func lines(_ quantity: Int32, sku: Int32 = 1) -> [OrderLine] {
        [OrderLine(sku: SKUNumber(rawValue: sku), quantity: quantity)]
    }

    // MARK: What is said

    mutating func say(_ event: HistoryEvent) {
        var event = event
        event.at = now
        history.events.append(event)
        now += Self.step
    }

    mutating func ask(_ number: Int, _ quantity: Int32 = 1, isRetry: Bool = false, sku: Int32 = 1, process: Int = 1) {
        say(
            .asking(Self.flow(number), Self.lines(quantity, sku: sku), at: 0, process: process, isRetry: isRetry))
    }

    mutating func hear(_ outcome: DeductionOutcome, _ number: Int, process: Int = 1) {
        say(.heard(outcome, Self.flow(number), at: 0, process: process))
    }

    mutating func fault(_ name: String) {
        say(HistoryEvent(at: 0, process: 0, .fault, .invoke, subject: name))
        say(HistoryEvent(at: 0, process: 0, .fault, .ok, subject: name))
    }

    mutating func heal() { say(HistoryEvent(at: 0, process: 0, .heal, .ok)) }

    mutating func compare(_ drift: Int64, isWhole: Bool = true) {
        final.comparisons.append(FinalState.Comparison(at: now, driftUnits: drift, isWhole: isWhole))
    }

    mutating func end(_ number: Int, _ operation: HistoryEvent.Operation, flag: Bool? = nil, says answer: String?) {
        let flow = Self.flow(number)
        say(HistoryEvent(at: 0, process: 1, operation, .invoke, flow: flow, flag: flag))
        guard let answer else { return }
        let kind: HistoryEvent.Kind = answer == "sold" || answer == "conflict" ? .fail : .ok
        say(HistoryEvent(at: 0, process: 1, operation, kind, flow: flow, answer: answer))
    }

    // MARK: What is done

    /// A whole sale of one order: asked, taken in both books, told.
    mutating func buy(_ number: Int, _ quantity: Int32 = 1, sku: Int32 = 1) {
        ask(number, quantity, sku: sku)
        take(number, quantity, sku: sku)
        hear(.done(duplicate: false), number)
    }

    /// Both books take an order.
    mutating func take(_ number: Int, _ quantity: Int32, sku: Int32 = 1) {
        let (flow, place, units) = (Self.flow(number), Int(sku) - 1, Int64(quantity))
        n += 1
        let id = OutboxID(epoch: Self.epoch, n: n)
        final.orders.append(
            FinalState.Order(flow: flow, state: .reserved, lines: Self.lines(quantity, sku: sku), id: id))
        final.movements.append(
            FinalState.Movement(bucket: Self.bucket, id: id, sku: SKUNumber(rawValue: sku), quantity: units))
        final.skus[place].reserved += units
        final.skus[place].redisStock! -= units
        final.skus[place].redisTaken! += units
        final.skus[place].redisLedger.append(
            FinalState.LedgerEntry(flow: flow, quantity: units, isCancelled: false))
    }

    /// Both books give an order back: row, counters, stock, ledgers.
    mutating func giveBack(_ number: Int) {
        let flow = Self.flow(number)
        let row = final.orders.firstIndex { $0.flow == flow }!
        let line = final.orders[row].lines[0]
        let (place, units) = (Int(line.sku.rawValue) - 1, Int64(line.quantity))
        n += 1
        let id = OutboxID(epoch: Self.epoch, n: n)
        final.orders[row].state = .cancelled
        final.skus[place].reserved -= units
        final.giveBacks.append(FinalState.GiveBack(flow: flow, lines: [line], id: id))
        final.movements.append(
            FinalState.Movement(bucket: Self.bucket, id: id, sku: line.sku, quantity: -units))
        final.skus[place].redisStock! += units
        final.skus[place].redisTaken! -= units
        let entry = final.skus[place].redisLedger.firstIndex { $0.flow == flow }!
        final.skus[place].redisLedger[entry].isCancelled = true
    }

    mutating func confirm(_ number: Int) {
        let row = final.orders.firstIndex { $0.flow == Self.flow(number) }!
        let line = final.orders[row].lines[0]
        final.orders[row].state = .sold
        final.skus[Int(line.sku.rawValue) - 1].reserved -= Int64(line.quantity)
        final.skus[Int(line.sku.rawValue) - 1].sold += Int64(line.quantity)
    }

    /// Both books forget an order, as after a rebuild from books that never had it.
    mutating func forget(_ number: Int) {
        let flow = Self.flow(number)
        let row = final.orders.firstIndex { $0.flow == flow }!
        let order = final.orders.remove(at: row)
        let (place, units) = (Int(order.lines[0].sku.rawValue) - 1, Int64(order.lines[0].quantity))
        final.skus[place].reserved -= units
        final.skus[place].redisStock! += units
        final.skus[place].redisTaken! -= units
        final.skus[place].redisLedger.removeAll { $0.flow == flow }
        final.movements.removeAll { $0.id == order.id }
    }

    mutating func restock(_ units: Int32) {
        say(HistoryEvent(at: 0, process: 9, .restock, .invoke, lines: Self.lines(units)))
        n += 1
        final.restocks.append(
            FinalState.Restock(
                sku: SKUNumber(rawValue: 1), units: Int64(units), id: OutboxID(epoch: Self.epoch, n: n)))
        final.skus[0].allocated += Int64(units)
        final.skus[0].redisAllocated! += Int64(units)
        final.skus[0].redisStock! += Int64(units)
        say(HistoryEvent(at: 0, process: 9, .restock, .ok, answer: "done"))
    }

    /// Takes units back in both books.
    mutating func takeBack(_ units: Int32) {
        say(HistoryEvent(at: 0, process: 9, .reverseRestock, .invoke, lines: Self.lines(units)))
        n += 1
        final.restocks.append(
            FinalState.Restock(
                sku: SKUNumber(rawValue: 1), units: -Int64(units), id: OutboxID(epoch: Self.epoch, n: n)))
        final.skus[0].allocated -= Int64(units)
        final.skus[0].redisAllocated! -= Int64(units)
        final.skus[0].redisStock! -= Int64(units)
        say(HistoryEvent(at: 0, process: 9, .reverseRestock, .ok, answer: "done"))
    }
}
