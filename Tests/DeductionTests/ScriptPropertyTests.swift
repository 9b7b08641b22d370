import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
import SaleRig
import Testing

/// The scripts on a real server beside a plain model, at random, with keys lost and recovered in between; and beside the model of
/// a Redis server, which must answer every call alike.
@Suite("The scripts beside a model") struct ScriptPropertyTests {
    @Test(
        "answer, count and remember as the model does", .timeLimit(.minutes(10)),
        arguments: [1, 7, 20_260_728] as [UInt64])
    func walk(seed: UInt64) async throws {
        // Stocks of many SKUs are read and written in another way than those of few.
        let many: [Int64] = seed == 7 ? [40, 300, 80, 20, 500, 7, 90] : []
        try await SaleRig.with(
            units: [60, 200, 5, 1_000, 0] + many, limitsPerBuyer: [2: 4, 4: 9], port: TwinPort.beside
        ) { rig async throws in
            var walk = try await Walk(rig: rig, seed: seed)
            for step in 0..<10_000 {
                do { try await walk.step(step) } catch {
                    Issue.record("seed \(seed), step \(step): \(error)")
                    return
                }
            }
            try await walk.finish()
            try await (rig.cluster as? TwinPort)?.compareContents()
            // A walk that never met these proved less than it says.
            for met in [
                "D", "d", "S", "F", "C", "X", "R", "r", "T", "G", "O", "L", "N", "lost", "stale", "halted", "archived",
                "sold",
            ] {
                #expect(walk.met[met, default: 0] > 20, "met too few \(met): \(walk.met)")
            }
            for met in ["takenBack", "reversalRefused"] {
                #expect(walk.met[met, default: 0] > 0, "met no \(met): \(walk.met)")
            }
        }
    }
}

struct Mismatch: Error, CustomStringConvertible {
    let description: String
}

/// One random walk.
struct Walk {
    let rig: SaleRig
    var numbers: SplitMix
    var model = BucketModel()
    var epoch = Epoch.none
    var used: [Order] = []
    var met: [String: Int] = [:]
    /// What each epoch began with, for replaying its outbox.
    var takenAtOpening: [SKUNumber: Int64] = [:]
    /// Restocks that SQL has numbered, applied or not.
    var restocks: [Restock] = []
    /// What SQL said after each act.
    var controls: [BucketControl] = []
    /// Flows of which Redis took two orders, because their SKUs' ledgers do not see each other.
    var doubleFlows: Set<FlowID> = []
    var outboxIsWhole = true
    /// Flows that were paid for: settled, so they may leave the ledgers.
    var sold: Set<FlowID> = []

    init(rig: SaleRig, seed: UInt64) async throws {
        self.rig = rig
        numbers = SplitMix(state: seed)
        try await follow(survivors: nil)
    }

    mutating func random(_ range: Range<Int>) -> Int { Int.random(in: range, using: &numbers) }

    func require(_ condition: Bool, _ text: @autoclosure () -> String) throws {
        if !condition { throw Mismatch(description: text()) }
    }

    // MARK: Steps

    mutating func step(_ number: Int) async throws {
        switch random(0..<1_000) {
        case 0..<560: try await deduct()
        case 560..<760: try await release()
        case 760..<820: try await freeze()
        case 820..<880: try await restock()
        case 880..<900: try await setState()
        case 900..<960: try await stale()
        case 960..<980: try await rig.drain()
        case 980..<990: try await archive()
        default: try await lose()
        }
        try await checkCounters()
        if number % 400 == 399 { try await checkLedgers() }
    }

    /// Pays for some orders, then takes everything settled and older than a moment out of the ledgers.
    mutating func archive() async throws {
        // Mostly SQL has heard of what is paid for; else the payment waits.
        if random(0..<4) > 0 { try await rig.drain() }
        for order in used.suffix(40) where random(0..<2) == 0 {
            let payment = Payment(order: order, succeeded: true)
            let results = try await rig.store.commit(CommitBatch(payments: [payment])).payments
            // One that waits sells its order when that comes.
            if results == [.confirmed] || results == [.waiting] { sold.insert(order.flow) }
            if results == [.confirmed] { met["sold", default: 0] += 1 }
        }
        let bucket = rig.bucket.number
        guard
            let watermark = try await rig.store.raiseWatermark(
                bucket: bucket, horizon: .milliseconds(random(0..<300)), ordersMax: 1_000)
        else { return }
        let orders = try await rig.store.archivable(bucket: bucket, after: nil, limit: random(1..<400))
        for order in orders {
            for sku in model.skus.values {
                guard let entry = sku.ledger[order.flow], !entry.cancelled else { continue }
                try require(
                    sold.contains(order.flow) || doubleFlows.contains(order.flow),
                    "flow \(order.flow) is open and archivable")
            }
        }
        let answer = try await rig.archive(orders, below: watermark, epoch: epoch)
        let removed = model.archive(orders, below: watermark)
        guard case .done(let n, _, _, let counts) = answer, n == model.n, counts == [removed] else {
            throw Mismatch(description: "archived \(SaleRig.words(answer)), the model removed \(removed) at \(model.n)")
        }
        try await rig.store.noteArchived(bucket: bucket, orders.map(\.flow))
        met["archived", default: 0] += Int(removed)
    }

    mutating func deduct() async throws {
        let orders = (0..<random(1..<13)).map { _ in anyOrder() }
        let seen = model.n
        let expected = model.deduct(orders)
        let answer = try await rig.call(rig.scripts.deduct, orders, epoch: epoch, n: seen)
        try same(answer, expected)
        if case .letters(let letters) = expected {
            for (order, letter) in zip(orders, letters) where letter == "D" { noteOtherOrders(of: order) }
        }
        if case .done(_, _, let duplicates, _) = answer { try checkDuplicates(orders, expected, duplicates) }
    }

    /// Each `d` names the entry that took the order.
    func checkDuplicates(_ orders: [Order], _ expected: BucketModel.Answer, _ duplicates: [Int: Int64]) throws {
        guard case .letters(let letters) = expected else { return }
        for (position, letter) in letters.enumerated() {
            let order = orders[position]
            let n = letter == "d" ? model.skus[order.lines[0].sku]!.ledger[order.flow]!.n : nil
            try require(
                duplicates[position] == n,
                "order \(position): duplicate of \(duplicates[position] ?? -1), not \(n ?? -1)")
        }
    }

    /// Notes a flow under which another order stands in some ledger: SQL will take only one of the two.
    mutating func noteOtherOrders(of order: Order) {
        for sku in model.skus.values {
            if let entry = sku.ledger[order.flow], entry.digest != order.digest { doubleFlows.insert(order.flow) }
        }
    }

    /// SQL decides a cancellation first; Redis hears of what SQL cancelled.
    mutating func release() async throws {
        let orders = (0..<random(1..<5)).map { _ in anyOrder() }
        let results = try await rig.store.cancel(orders)
        let cancelled = zip(orders, results).filter { $0.1 == .cancelled || $0.1 == .alreadyCancelled }.map(\.0)
        guard !cancelled.isEmpty else { return }
        for order in cancelled { noteOtherOrders(of: order) }
        let expected = model.release(cancelled)
        try same(try await rig.call(rig.scripts.release, cancelled, epoch: epoch), expected)
    }

    mutating func freeze() async throws {
        let sku = anySKU()
        let frozen = random(0..<3) == 0
        _ = try await rig.store.setFrozen(sku, frozen)
        try await tell()
    }

    /// Now and then Redis hears nothing, or hears once more of an act that is past.
    mutating func tell() async throws {
        controls.append(try await rig.store.bucketControls()[0])
        if random(0..<4) == 0 { return }
        let control = random(0..<3) == 0 ? controls.suffix(8).randomElement(using: &numbers)! : controls.last!
        guard control.record.epoch == epoch else { return }
        let answer = try await act(
            rig.scripts.state, rig.bucket.skus, .state,
            [control.saleState.rawValue, "\(control.act)"]
                + rig.bucket.skus.map { control.frozen.contains($0) ? "1" : "0" })
        try same(answer, .letters(model.tell(control)), oneLetter: true)
    }

    /// Now and then a restock is applied again, or before the one that precedes it.
    mutating func restock() async throws {
        if restocks.isEmpty || random(0..<3) == 0 {
            let sku = anySKU()
            let isReversal = random(0..<4) == 0
            // Often one more than Redis has, of which SQL cannot know: it has not drained what was sold.
            let stock = model.skus[sku]!.stock
            let back = stock < 40 && random(0..<3) > 0 ? stock + 1 : Int64(random(1..<12))
            do {
                restocks.append(
                    try await rig.store.restock(sku, units: isReversal ? -back : Int64(random(1..<30))))
            } catch let error as OrderStoreError where isReversal && error.outcome == .refused {
                return
            }
            if random(0..<3) == 0 { restocks.append(try await rig.store.restock(sku, units: 1)) }
        }
        let some = restocks.suffix(8)
        let restock = random(0..<2) == 0 ? restocks.last! : some.randomElement(using: &numbers)!
        let answer = try await act(
            rig.scripts.restock, [restock.sku],
            .restock(sku: restock.sku, fromVersion: restock.fromVersion, units: restock.units),
            ["\(restock.fromVersion)", "\(restock.units)"])
        let letter = model.restock(restock.sku, from: restock.fromVersion, units: restock.units)
        if restock.units < 0, letter == "R" || letter == "S" {
            met[letter == "R" ? "takenBack" : "reversalRefused", default: 0] += 1
        }
        try same(answer, .letters(letter), oneLetter: true)
    }

    mutating func setState() async throws {
        let wanted: SaleState = model.state == .open && random(0..<2) == 0 ? .halted : .open
        _ = try await rig.store.setSaleState(from: [.open, .halted], to: wanted)
        try await tell()
    }

    /// Callers of another epoch, and a server that fell behind its caller: nothing may be written.
    mutating func stale() async throws {
        let orders = [anyOrder(), anyOrder()]
        let before = try await rig.cut()
        let script = random(0..<2) == 0 ? rig.scripts.deduct : rig.scripts.release
        let isHalted = model.state != .open && script.sha == rig.scripts.deduct.sha
        switch random(0..<3) {
        case 0:
            let old = Epoch(rawValue: epoch.rawValue - 1)
            try same(try await rig.call(script, orders, epoch: old), .fenced(.epoch))
        case 1:
            let new = Epoch(rawValue: epoch.rawValue + 1)
            try same(try await rig.call(script, orders, epoch: new), .fenced(.epoch))
        default:
            let answer = try await rig.call(script, orders, epoch: epoch, n: model.n + 1)
            try same(answer, .fenced(isHalted ? .halted : .behind))
        }
        let after = try await rig.cut()
        try require(
            before.id == after.id && before.skus == after.skus && before.outboxEnd == after.outboxEnd,
            "a stale caller wrote")
        met["stale", default: 0] += 1
    }

    /// A key is lost; the next taker meets the fence; recovery follows.
    mutating func lose() async throws {
        try await checkLedgers()
        try await checkOutbox()
        if random(0..<2) == 0 { try await rig.drain() }
        let position = random(0..<rig.keys.stocks.count)
        let (key, reason): ([UInt8], FenceReason) =
            switch random(0..<4) {
            case 0: (rig.keys.stocks[position], .missing)
            case 1: (rig.keys.ledgers[position], .missing)
            case 2: (rig.keys.control, .noControl)
            default: (rig.keys.outbox, .noOutbox)
            }
        try await rig.redis("DEL", key)
        // An order that would be taken, if anything were.
        let probe = rig.order([(Int32(position + 1), 1)])
        var sight = model
        let wouldTake = sight.deduct([probe])
        let expected: BucketModel.Answer =
            switch reason {
            case .noControl: .fenced(.noControl)
            case .noOutbox: wouldTake == .letters("D") ? .fenced(.noOutbox) : wouldTake
            default: wouldTake == .fenced(.halted) ? .fenced(.halted) : .fenced(.missing)
            }
        try same(try await rig.call(rig.scripts.deduct, [probe], epoch: epoch, n: model.n), expected)
        met["lost", default: 0] += 1
        let known = model
        let drained = try await rig.record.drainedThrough.n == model.n
        try await rig.recover()
        try await follow(survivors: reason == .noOutbox && !drained ? nil : known)
    }

    // MARK: Following

    /// Takes over what SQL says after a recovery; Redis must say the same.
    ///
    /// - Parameter survivors: what the bucket was, if every entry of it reached SQL.
    mutating func follow(survivors: BucketModel?) async throws {
        var followed = BucketModel()
        followed.state = try await rig.store.sale()!.state
        followed.act = try await rig.store.bucketControls()[0].act
        let cut = try await rig.cut()
        for counters in try await rig.store.skuCounters() {
            let taken = counters.sold + counters.reserved
            let reading = cut.skus.first { $0.sku == counters.sku }
            var sku = BucketModel.SKU(
                stock: counters.allocated - taken, allocated: counters.allocated,
                version: reading?.control?.version ?? -1,
                taken: taken, frozen: counters.frozen, limitPerBuyer: rig.catalogue[counters.sku]?.limitPerBuyer)
            for held in try await rig.store.heldUnits(sku: counters.sku, after: nil, limit: 1_000) {
                sku.held[held.buyer] = held.units
            }
            for row in try await rig.store.ledgerPage(sku: counters.sku, after: nil, limit: 1_000_000) {
                sku.ledger[row.flow] = BucketModel.Entry(
                    quantity: row.quantity, cancelled: row.cancelled, n: row.n, digest: row.digest)
            }
            followed.skus[counters.sku] = sku
        }
        followed.watermark = try await rig.record.watermark?.milliseconds
        if let survivors { try checkNothingWasLost(survivors, followed) }
        model = followed
        epoch = try await rig.record.epoch
        takenAtOpening = model.skus.mapValues(\.taken)
        outboxIsWhole = true
        try await checkCounters()
        try await checkLedgers()
    }

    /// An order that stood in Redis stands in SQL, unless its flow was two orders' or SQL had cancelled it.
    func checkNothingWasLost(_ before: BucketModel, _ after: BucketModel) throws {
        for (sku, was) in before.skus {
            for (flow, entry) in was.ledger where !entry.cancelled && !doubleFlows.contains(flow) {
                if sold.contains(flow), flow.milliseconds < after.watermark ?? 0 { continue }
                let now = after.skus[sku]!.ledger[flow]
                try require(
                    now != nil && now!.digest == entry.digest,
                    "an order of \(entry.quantity) of SKU \(sku.rawValue) was lost")
            }
            // What Redis had not heard of, the fold decided: added, taken back, or refused.
            let unheard = restocks.filter { $0.sku == sku && $0.fromVersion >= was.version }
            let least = unheard.reduce(was.allocated) { $0 + min(0, $1.units) }
            let most = unheard.reduce(was.allocated) { $0 + max(0, $1.units) }
            try require(
                after.skus[sku]!.version >= was.version && (least...most).contains(after.skus[sku]!.allocated),
                "a restock was lost")
        }
    }

    // MARK: Checks

    func checkCounters() async throws {
        let cut = try await rig.cut()
        try require(
            cut.id == OutboxID(epoch: epoch, n: model.n), "n is \(cut.id?.description ?? "gone"), not \(model.n)")
        try require(
            cut.outboxEnd == cut.id,
            "the outbox ends at \(cut.outboxEnd?.description ?? "?"), the control at \(model.n)")
        try require(cut.state == model.state.rawValue, "the state is \(cut.state), not \(model.state)")
        try require(cut.act == model.act, "the last act is \(cut.act), not \(model.act)")
        for reading in cut.skus {
            let sku = model.skus[reading.sku]!
            guard let stock = reading.stock, let control = reading.control else {
                throw Mismatch(description: "a key is gone")
            }
            try require(stock >= 0 && stock + control.taken == control.allocated, "unbalanced: \(reading)")
            try require(
                stock == sku.stock && control.taken == sku.taken && control.allocated == sku.allocated
                    && control.version == sku.version && control.frozen == sku.frozen
                    && reading.ledgerEntries == Int64(sku.fields),
                "SKU \(reading.sku.rawValue) is \(reading), not \(sku.stock) \(sku.taken) \(sku.allocated) v\(sku.version) "
                    + "\(sku.frozen) with \(sku.fields) fields")
        }
    }

    func checkLedgers() async throws {
        for (position, number) in rig.bucket.skus.enumerated() {
            var ledger = model.skus[number]!.ledger
            var held = model.skus[number]!.held
            let fields = try await rig.redis("HGETALL", rig.keys.ledgers[position]).array ?? []
            for index in stride(from: 0, to: fields.count - 1, by: 2) {
                let name = fields[index].bytes ?? []
                if name.count == 17, let buyer = BuyerID(bytes: name.dropFirst()) {
                    let units = held.removeValue(forKey: buyer)
                    try require(
                        fields[index + 1].int == units, "\(buyer) holds \(fields[index + 1]), not \(units ?? 0)")
                }
                guard let flow = FlowID(bytes: name) else { continue }
                let entry = (fields[index + 1].bytes).flatMap(LedgerEntry.init)
                let expected = ledger.removeValue(forKey: flow)
                try require(
                    entry != nil && expected != nil && entry!.quantity == expected!.quantity
                        && entry!.cancelled == expected!.cancelled && entry!.n == expected!.n
                        && entry!.digest == expected!.digest,
                    "SKU \(number.rawValue), flow \(flow): \(String(describing: entry)), not \(String(describing: expected))"
                )
            }
            try require(held.isEmpty, "SKU \(number.rawValue): \(held.count) buyers are missing")
            try require(ledger.isEmpty, "SKU \(number.rawValue): \(ledger.count) ledger entries are missing")
        }
    }

    /// Ids without gaps, and entries that say how the stock came to be.
    func checkOutbox() async throws {
        let entries = try await rig.outbox(after: OutboxID(epoch: epoch, n: 0))
        try require(entries.map(\.id.n) == Array(1..<(model.n + 1)), "the outbox has gaps below \(model.n)")
        var taken = takenAtOpening
        for entry in entries {
            switch entry.settlement.action {
            case .deduct(let orders):
                for line in orders.flatMap(\.lines) { taken[line.sku]! += Int64(line.quantity) }
            case .release(let orders, _):
                for line in orders.flatMap(\.lines) { taken[line.sku]! -= Int64(line.quantity) }
            case .unreadable: throw Mismatch(description: "entry \(entry.id) is unreadable")
            case .restock, .mark, .repair: break
            }
        }
        try require(taken == model.skus.mapValues(\.taken), "the outbox replays to \(taken)")
    }

    mutating func finish() async throws {
        try await checkLedgers()
        try await checkOutbox()
        try await rig.drain()
        let fold = try await rig.store.foldForCut(
            bucket: rig.bucket.number, through: OutboxID(epoch: epoch, n: model.n))
        try require(fold?.mapValues(\.taken) == model.skus.mapValues(\.taken), "SQL folds to something else")
        try require(fold?.mapValues(\.allocated) == model.skus.mapValues(\.allocated), "SQL allocated something else")
    }

    // MARK: Making things up

    mutating func anySKU() -> SKUNumber { SKUNumber(rawValue: Int32(random(1..<6))) }

    mutating func lines() -> [(Int32, Int32)] {
        var skus = Set<Int32>()
        for _ in 0..<random(1..<4) { skus.insert(Int32(random(1..<6))) }
        return skus.sorted().map { ($0, Int32(random(0..<20) == 0 ? random(5..<2_000) : random(1..<4))) }
    }

    /// Nobody, now and then.
    mutating func buyer() -> BuyerID? {
        random(0..<12) == 0 ? nil : BuyerID(high: 7, low: UInt64(random(0..<60)))
    }

    mutating func anyOrder() -> Order {
        let order: Order
        switch random(0..<10) {
        case 0..<6: order = rig.order(lines(), buyer: buyer())
        case 6..<9:
            order =
                used.isEmpty
                ? rig.order(lines(), buyer: buyer()) : used[max(0, used.count - 1 - random(0..<min(used.count, 60)))]
        default:
            order =
                used.isEmpty
                ? rig.order(lines(), buyer: buyer())
                : rig.order(lines(), buyer: buyer(), flow: used.randomElement(using: &numbers)!.flow)
        }
        used.append(order)
        if used.count > 2_000 { used.removeFirst(1_000) }
        return order
    }

    // MARK: Calling

    func act(
        _ script: LoadedScript, _ skus: [SKUNumber], _ payload: OutboxBlob.Payload, _ arguments: [String]
    ) async throws -> ScriptAnswer {
        var call = ScriptCall(keyCount: 2 + 2 * skus.count)
        call.append(rig.keys.control)
        call.append(rig.keys.outbox)
        for position in skus.compactMap({ rig.keys.position(of: $0) }) {
            call.append(rig.keys, at: position)
        }
        call.append(epoch.rawValue)
        call.append(Int64(0))
        call.append(OutboxBlob(milliseconds: 1, payload: payload).bytes)
        for argument in arguments { call.append(argument) }
        return ScriptAnswer(try await rig.cluster.evaluate(script, call, slot: rig.keys.slot, deadline: rig.soon))
    }

    mutating func same(_ answer: ScriptAnswer, _ expected: BucketModel.Answer, oneLetter: Bool = false) throws {
        switch (answer, expected) {
        case (.done(let n, let results, _, let stocks), .letters(let letters)):
            let text = String(decoding: results, as: UTF8.self)
            try require(text == letters, "answered \(text), the model \(letters)")
            try require(n == model.n, "answered n \(n), the model has \(model.n)")
            if !oneLetter {
                try require(stocks == rig.bucket.skus.map { model.skus[$0]!.stock }, "told stocks \(stocks)")
            }
            for letter in letters { met[String(letter), default: 0] += 1 }
        case (.fenced(let reason, _), .fenced(let wanted)):
            try require(reason == wanted, "fenced \(reason), the model \(wanted)")
            met[reason.rawValue, default: 0] += 1
        default: throw Mismatch(description: "answered \(SaleRig.words(answer)), the model \(expected)")
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
