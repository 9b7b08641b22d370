import Inventory

/// The movements: what Redis did, entry by entry.
extension Checker {
    private struct Era: Hashable, Comparable {
        let sku: SKUNumber
        let epoch: Int64

        static func < (left: Era, right: Era) -> Bool {
            left.sku != right.sku ? left.sku < right.sku : left.epoch < right.epoch
        }
    }

    /// At every entry of every epoch: 0 ≤ sold + reserved ≤ allocated.
    ///
    /// An epoch whose data was lost may lack entries in SQL: units that it gave back, or got by a restock, and took again are there
    /// without that entry. Such give-backs and restocks end with a later epoch's beginning, and the prefix may exceed by their
    /// units, no more.
    mutating func checkPrefixes() {
        var movements: [Era: [FinalState.Movement]] = [:]
        for movement in final.movements {
            movements[Era(sku: movement.sku, epoch: movement.id.epoch.rawValue), default: []].append(movement)
        }
        var bases: [Era: FinalState.Base] = [:]
        for base in final.bases { bases[Era(sku: base.sku, epoch: base.epoch)] = base }
        var restocks: [Era: [FinalState.Restock]] = [:]
        for restock in final.restocks {
            guard let id = restock.id, id.n > 0 else { continue }
            restocks[Era(sku: restock.sku, epoch: id.epoch.rawValue), default: []].append(restock)
        }
        var folded: [SKUNumber: [(epoch: Int64, units: Int64)]] = [:]
        for giveBack in final.giveBacks {
            guard let id = giveBack.id, id.n == 0 else { continue }
            for line in giveBack.lines {
                folded[line.sku, default: []].append((id.epoch.rawValue, Int64(line.quantity)))
            }
        }
        for restock in final.restocks {
            guard let id = restock.id, id.n == 0 else { continue }
            // What was taken back by a fold, an epoch before may still have sold: that excuses nothing, and forbids nothing.
            folded[restock.sku, default: []].append((id.epoch.rawValue, max(0, restock.units)))
        }
        let present = Dictionary(final.buckets.map { ($0.bucket, $0.epoch) }, uniquingKeysWith: { first, _ in first })
        for era in movements.keys.sorted() {
            guard let base = bases[era] else {
                verdict.leaveUnknown(
                    .ledgerPrefix, nil,
                    "SKU \(era.sku.rawValue) has movements in epoch \(era.epoch), of which nobody knows how it began")
                continue
            }
            let isOver = present[base.bucket] != era.epoch
            let slack = (folded[era.sku] ?? []).reduce(0) { $0 + ($1.epoch > era.epoch ? $1.units : 0) }
            checkPrefix(
                base, movements[era]!.sorted { $0.id < $1.id }, restocks[era] ?? [], slack: isOver ? slack : 0,
                lacksTakes: isOver)
        }
        for base in final.bases where movements[Era(sku: base.sku, epoch: base.epoch)] == nil {
            guard base.taken < 0 || base.taken > base.allocated else { continue }
            verdict.violate(.ledgerPrefix, nil, Self.text(base, at: "0", taken: base.taken, of: base.allocated))
        }
    }

    /// - Parameters:
    ///   - slack: units by which the prefix may exceed what is allocated.
    ///   - lacksTakes: entries that took may be missing, of units that were given back since.
    private mutating func checkPrefix(
        _ base: FinalState.Base, _ movements: [FinalState.Movement], _ restocks: [FinalState.Restock], slack: Int64,
        lacksTakes: Bool
    ) {
        var taken = base.taken
        var allocated = base.allocated
        var waiting = restocks.sorted { $0.id! < $1.id! }[...]
        var previous: OutboxID?
        if taken < 0 || taken > allocated {
            verdict.violate(.ledgerPrefix, nil, Self.text(base, at: "0", taken: taken, of: allocated))
        }
        for movement in movements {
            while let restock = waiting.first, restock.id! <= movement.id {
                allocated += restock.units
                waiting.removeFirst()
            }
            taken += movement.quantity
            if movement.id == previous {
                verdict.violate(
                    .doubled, nil, "entry \(movement.id) moved SKU \(movement.sku.rawValue) twice in SQL's ledger")
            }
            previous = movement.id
            guard taken > allocated + slack || (taken < 0 && !lacksTakes) else { continue }
            verdict.violate(
                .ledgerPrefix, nil, Self.text(base, at: "\(movement.id.n)", taken: taken, of: allocated))
            return
        }
    }

    private static func text(_ base: FinalState.Base, at n: String, taken: Int64, of allocated: Int64) -> String {
        "SKU \(base.sku.rawValue) at entry \(base.epoch)-\(n): sold + reserved = \(taken), allocated \(allocated)"
    }

    /// Each unit given back in Redis belongs to a reservation that SQL undid, and to that one alone.
    ///
    /// SQL notes a give-back as done at the entry that did it, or at a later one that found it done; never at an earlier one. So
    /// from any entry on, no more can have been given back than ended there or later.
    mutating func checkGiveBacks() {
        var ended: [SKUNumber: [(id: OutboxID, units: Int64)]] = [:]
        for giveBack in final.giveBacks {
            if let row = orders[giveBack.flow], row.state == .sold, Story.same(row.lines, giveBack.lines) {
                verdict.violate(
                    .confirmedAndReleased, giveBack.flow,
                    "sold, and given back \(giveBack.id.map { "at entry \($0)" } ?? "as soon as Redis answers")")
            }
            guard let id = giveBack.id else { continue }
            for line in giveBack.lines { ended[line.sku, default: []].append((id, Int64(line.quantity))) }
        }
        var given: [SKUNumber: [FinalState.Movement]] = [:]
        for movement in final.movements where movement.quantity < 0 && !movement.isRepair {
            given[movement.sku, default: []].append(movement)
        }
        for sku in given.keys.sorted() {
            var waiting = (ended[sku] ?? []).sorted { $0.id > $1.id }[...]
            var (units, back): (Int64, Int64) = (0, 0)
            for movement in given[sku]!.sorted(by: { $0.id > $1.id }) {
                while let first = waiting.first, first.id >= movement.id {
                    units += first.units
                    waiting.removeFirst()
                }
                back -= movement.quantity
                guard back > units else { continue }
                verdict.violate(
                    .releasedTwice, nil,
                    "SKU \(sku.rawValue): from entry \(movement.id) on \(back) were given back; reservations that ended there or later held \(units)"
                )
                break
            }
        }
        for flow in stories.flows {
            guard let story = stories.byFlow[flow] else { continue }
            let released = story.endings.count {
                $0.operation == .release && $0.kind == .ok && $0.answer == HistoryEvent.Answer.givenBack
            }
            if released > 1 { verdict.violate(.releasedTwice, flow, "was given back \(released) times") }
            if released > 0, story.isConfirmed {
                verdict.violate(.confirmedAndReleased, flow, "was paid for and given back")
            }
        }
    }

    // MARK: The end

    /// allocated − sold − reserved is the stock in Redis, in SQL's counters, by SQL's orders and by both ledgers.
    mutating func checkBooks() {
        guard isWhole, final.deadLetters == 0 else { return }
        var reserved: [SKUNumber: Int64] = [:]
        var sold: [SKUNumber: Int64] = [:]
        var holders: [SKUNumber: [FlowID: Int64]] = [:]
        for row in final.orders where row.state.holdsUnits || row.state == .partial {
            for line in row.lines {
                holders[line.sku, default: [:]][row.flow] = Int64(line.quantity)
                if row.state == .sold {
                    sold[line.sku, default: 0] += Int64(line.quantity)
                } else {
                    reserved[line.sku, default: 0] += Int64(line.quantity)
                }
            }
        }
        let epochs = Dictionary(final.buckets.map { ($0.bucket, $0) }, uniquingKeysWith: { first, _ in first })
        var moved: [SKUNumber: Int64] = [:]
        for base in final.bases where base.epoch == epochs[base.bucket]?.epoch {
            moved[base.sku, default: 0] += base.taken
        }
        for movement in final.movements where movement.id.epoch.rawValue == epochs[movement.bucket]?.epoch {
            moved[movement.sku, default: 0] += movement.quantity
        }
        let pending = Set(final.giveBacks.filter { $0.id == nil }.flatMap { $0.lines.map(\.sku) })
        for sku in final.skus {
            func differ(_ what: String) {
                verdict.violate(.booksDisagree, nil, "SKU \(sku.sku.rawValue): \(what)")
            }
            let taken = sku.sold + sku.reserved
            if sku.sold != sold[sku.sku] ?? 0 {
                differ("SQL counts \(sku.sold) sold; its orders say \(sold[sku.sku] ?? 0)")
            }
            if sku.reserved != reserved[sku.sku] ?? 0 {
                differ("SQL counts \(sku.reserved) reserved; its orders say \(reserved[sku.sku] ?? 0)")
            }
            if taken > sku.allocated { differ("\(taken) sold and reserved of \(sku.allocated) allocated") }
            if let start = sku.allocatedAtStart {
                let restocked = final.restocked(sku.sku)
                if start + restocked != sku.allocated {
                    differ("\(sku.allocated) allocated; the sale began with \(start) and \(restocked) were added")
                }
            }
            // What has not reached Redis yet is `unfinished`, and said so once.
            guard !pending.contains(sku.sku), let bucket = epochs[sku.bucket], bucket.isOpen, bucket.backlog == 0 else {
                continue
            }
            checkRedis(
                sku, taken: taken, moved: moved[sku.sku], holders: holders[sku.sku] ?? [:],
                watermark: bucket.watermarkMilliseconds ?? 0)
        }
    }

    private mutating func checkRedis(
        _ sku: FinalState.SKU, taken: Int64, moved: Int64?, holders: [FlowID: Int64], watermark: UInt64
    ) {
        func differ(_ flow: FlowID? = nil, _ what: String) {
            verdict.violate(.booksDisagree, flow, "SKU \(sku.sku.rawValue): \(what)")
        }
        let left = sku.allocated - taken
        guard let stock = sku.redisStock, let redisTaken = sku.redisTaken, let allocated = sku.redisAllocated else {
            return differ(nil, "Redis lacks its \(sku.redisStock == nil ? "stock" : "control")")
        }
        if stock != left { differ(nil, "Redis has \(stock) in stock; SQL's allocated − sold − reserved is \(left)") }
        if redisTaken != taken { differ(nil, "Redis counts \(redisTaken) taken; SQL \(taken)") }
        if allocated != sku.allocated { differ(nil, "Redis has \(allocated) allocated; SQL \(sku.allocated)") }
        if let moved, moved != taken { differ(nil, "SQL's movements say \(moved) taken; its counters \(taken)") }
        let held = sku.redisLedger.filter { !$0.isCancelled && $0.quantity > 0 }
        // Settled orders of old flows were taken out of Redis's ledger; they hold their units all the same.
        let present = Set(held.map(\.flow))
        let absent = holders.filter { !present.contains($0.key) }
        let archived = absent.filter { $0.key.milliseconds < watermark }
        for flow in absent.keys.sorted() where archived[flow] == nil {
            differ(flow, "SQL has it; Redis's ledger does not")
        }
        let inLedger = held.reduce(archived.values.reduce(0, +)) { $0 + $1.quantity }
        if inLedger != taken { differ(nil, "Redis's ledger says \(inLedger) taken; SQL \(taken)") }
        for entry in held {
            let state = orders[entry.flow]?.state
            guard state?.holdsUnits != true, state != .partial else { continue }
            differ(
                entry.flow,
                "Redis's ledger has it taken; SQL \(orders[entry.flow].map { "says \($0.state.rawValue)" } ?? "has no row")"
            )
        }
    }
}
