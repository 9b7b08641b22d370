public import Deduction
public import Inventory
public import OrderStore
public import Telemetry

/// The acts that screen and command line share. Each is decided in SQL first, then told to Redis, then audited with what was
/// before and after; its report is one plain sentence. A halt alone is told to Redis first: it only refuses.
public struct SaleControl: Sendable {
    public struct Report: Sendable, Hashable {
        public let sentence: String
        public let succeeded: Bool
        public init(sentence: String, succeeded: Bool) {
            self.sentence = sentence
            self.succeeded = succeeded
        }
    }

    /// Units in one restock.
    public static let restockUnitsMax: Int64 = 1_000_000
    /// How long whoever acts waits for a bucket that does not answer; SQL has the act, and the bucket's opening or the `ActKeeper`
    /// takes it from there.
    public static let patience = Duration.milliseconds(800)
    /// How long a halt that Redis has is offered to a store that does not take it, and the pause between two offers.
    public static let haltPatience = Duration.seconds(60)
    private static let haltPause = Duration.milliseconds(200)
    /// Between two looks whether SQL has heard what Redis did.
    private static let pauseOfBooks = Duration.milliseconds(20)

    private let catalogue: Catalogue
    private let store: any OrderStore
    private let acts: BucketActs
    private let events: EventLog
    private let who: Operator
    private let clock: SaleClock
    private let check: (@Sendable () async -> [Preflight.Finding])?

    /// - Parameter check: looks whether the servers can keep the sale's promise, before it is opened.
    public init(
        catalogue: Catalogue, store: any OrderStore, acts: BucketActs, events: EventLog, who: Operator = .current,
        clock: SaleClock = .system, check: (@Sendable () async -> [Preflight.Finding])? = nil
    ) {
        self.catalogue = catalogue
        self.store = store
        self.acts = acts
        self.events = events
        self.who = who
        self.clock = clock
        self.check = check
    }

    /// Lets orders in, if the servers can keep what the sale promises.
    public func open() async -> Report { await setState(.open, from: [.warmed, .halted], done: "the sale is open") }

    /// Lets orders in after a list was gone through: on GO, or where a NO-GO may be overridden and somebody typed the sale's name to do
    /// so. What must never be overridden is looked at once more.
    ///
    /// - Parameter name: what was typed; `nil`: nothing.
    public func open(after list: PreflightReport, overriddenBy name: String? = nil) async -> Report {
        if list.decision == .go { return await open() }
        if let name, list.decision == .noGo(mayBeOverridden: true) {
            let sale = (try? await store.sale())?.name
            if name == sale {
                return await setState(
                    .open, from: [.warmed, .halted], done: "the sale is open over a NO-GO",
                    reason: "over \(list.sentence)", isOverridden: true)
            }
        }
        return await report(what: "open", subject: "sale") { throw ActError(list.sentence) }
    }

    /// Closes the sale for good: orders stop as at a halt, and no act opens it again. What has to end then, `SaleService.close` sees through.
    public func close() async -> Report {
        await setState(.closed, from: [.warmed, .open, .halted], done: "the sale is closed for good")
    }

    /// Stops orders in every bucket that answers, at once, and in the others as soon as they do or before they open again. A store
    /// that is locked holds up the report, not the halt.
    ///
    /// - Parameter brake: what whoever acts has told Redis already.
    public func halt(after brake: Brake? = nil) async -> Report {
        await setState(.halted, from: [.open], done: "the sale is halted", brake: brake)
    }

    /// Halts by itself, for a reason that cannot wait for a person.
    public func halt(because reason: String) async -> Report {
        await setState(.halted, from: [.open], done: "the sale halts itself: \(reason)", reason: reason)
    }

    private func setState(
        _ state: SaleState, from: Set<SaleState>, done: String, reason: String? = nil, isOverridden: Bool = false,
        brake: Brake? = nil
    ) async -> Report {
        await report(what: state == .open ? "open" : state == .closed ? "close" : "halt", subject: "sale") {
            guard let before = try await store.sale() else {
                throw ActError("there is no sale in these books; create one first")
            }
            if state == .open, before.state != .open, let check {
                let found = await check().filter { $0.refusesOpening && !(isOverridden && $0.mayBeOverridden) }
                if let first = found.first {
                    let more = found.count > 1 ? " (and \((found.count - 1).counted("other finding")))" : ""
                    throw ActError("\(first.sentence)\(more)")
                }
            }
            let now =
                try await state != .open && from.contains(before.state)
                ? haltAhead(from: from, to: state, after: brake) : store.setSaleState(from: from, to: state)
            guard now.state == state else {
                throw ActError(Self.cannot(now.state, become: state))
            }
            let start = clock.now
            let outcomes = await acts.tellAll(patience: Self.patience)
            let waiting = outcomes.values.count { $0 != .applied }
            // What was told before SQL was asked is told; only what took longer is counted to its end.
            let told = outcomes.count - waiting
            let took: String =
                if let brake {
                    (told <= brake.told ? brake.took : brake.took + start.duration(to: clock.now)).formatted
                } else { start.duration(to: clock.now).formatted }
            var sentence = "\(done): \(told.counted("bucket")) told in \(took)"
            if waiting > 0 {
                sentence += "; \(waiting) more as soon as \(waiting == 1 ? "it answers" : "they answer")"
                // Of several obstacles that of the first bucket: it is one server's, as a rule.
                let obstacles = outcomes.sorted { $0.key < $1.key }.compactMap { _, outcome in
                    if case .waitsForRecovery(let obstacle) = outcome { obstacle } else { nil }
                }
                if let first = obstacles.first { sentence += " (\(first))" }
            }
            return (before.state.rawValue, reason.map { "\(state.rawValue): \($0)" } ?? state.rawValue, sentence)
        }
    }

    /// Halts in Redis what SQL calls open, and leaves SQL to `halt(after:)`: the quickest way to every bucket, for whoever has reading
    /// hands on SQL and a connection on which nothing was asked yet.
    ///
    /// - Parameter beginning: from which the time is counted.
    /// - Returns: `nil`: SQL does not call the sale open, so there is nothing to brake.
    public func brake(since beginning: ContinuousClock.Instant) async throws -> Brake? {
        guard try await store.sale()?.state == .open else { return nil }
        return await acts.brake(try await store.bucketControls(), patience: Self.patience, since: beginning)
    }

    /// Halts in Redis, then in SQL, for as long as that takes.
    private func haltAhead(
        from: Set<SaleState>, to state: SaleState, after brake: Brake?
    ) async throws -> Sale {
        let giveUpAt = clock.now + Self.haltPatience
        let (halted, of): (Int, Int)
        if let brake {
            (halted, of) = (brake.told, brake.of)
        } else {
            let outcomes = await acts.haltAhead(patience: Self.patience)
            (halted, of) = (outcomes.values.count { $0 == .applied }, outcomes.count)
        }
        var isTold = false
        while true {
            do { return try await store.setSaleState(from: from, to: state) } catch {
                let refusing = Self.refusing(halted, of: of)
                guard clock.now < giveUpAt else { throw ActError("\(refusing), but it is not in SQL: \(error)") }
                if !isTold {
                    events.add(
                        .warning,
                        "\(refusing); the \(state == .closed ? "closing" : "halt") goes to SQL as soon as it answers: \(error)"
                    )
                    isTold = true
                }
                try await clock.sleep(for: Self.haltPause)
            }
        }
    }

    /// Why a sale in one state does not come into another, and what there is to do.
    private static func cannot(_ state: SaleState, become wanted: SaleState) -> String {
        switch (state, wanted) {
        case (.closed, _): "the sale is closed for good: no order is taken any more; nothing was changed"
        case (.warmed, .halted): "the sale is not open yet: no order is taken; sellout open opens it"
        default: "the sale is \(state.rawValue) and cannot become \(wanted.rawValue); nothing was changed"
        }
    }

    /// `all 16 buckets take no orders`, `15 of 16 buckets take no orders`, `its 1 bucket takes no orders`
    public static func refusing(_ halted: Int, of: Int) -> String {
        switch (halted, of) {
        case (1, 1): "the sale's one bucket takes no orders"
        case (of, _): "all \(of.counted("bucket")) take no orders"
        default: "\(halted) of \(of.counted("bucket")) \(halted == 1 ? "takes" : "take") no orders"
        }
    }

    /// Freezes or thaws one SKU.
    public func setFrozen(_ sku: SKUNumber, _ frozen: Bool) async -> Report {
        let name = catalogue[sku]?.sku ?? "\(sku.rawValue)"
        return await report(what: frozen ? "freeze" : "thaw", subject: name) {
            guard catalogue[sku] != nil else { throw ActError("SKU \(name) is not in this sale") }
            if try await store.sale()?.state == .closed {
                throw ActError("the sale is closed: nothing of it is sold any more; nothing was changed")
            }
            let before = try await store.setFrozen(sku, frozen)
            let outcome = await acts.tell(bucketOf: sku, patience: Self.patience)
            let word = frozen ? "frozen" : "thawed"
            return (
                before ? "frozen" : "selling", frozen ? "frozen" : "selling",
                sentence("SKU \(name) is \(word)", outcome)
            )
        }
    }

    /// Adds units to a SKU's allocation and stock; with `units` below 0 it takes that many off sale again, if they are still unsold.
    public func restock(_ sku: SKUNumber, units: Int64) async -> Report {
        if units < 0 { return await takeBack(sku, units: units.magnitude) }
        let name = catalogue[sku]?.sku ?? "\(sku.rawValue)"
        return await report(what: "restock", subject: name) {
            guard catalogue[sku] != nil else { throw ActError("SKU \(name) is not in this sale") }
            guard (1...Self.restockUnitsMax).contains(units) else {
                throw ActError("a restock of \(units.counted("unit")) is outside 1 … \(Self.restockUnitsMax)")
            }
            if try await store.sale()?.state == .closed {
                throw ActError("the sale is closed: nothing is put on sale any more; nothing was changed")
            }
            let before = try await store.skuCounters().first { $0.sku == sku }?.allocated ?? 0
            let restock = try await store.restock(sku, units: units)
            let outcome = await acts.apply(restock, patience: Self.patience)
            return (
                "\(before.inGroups) allocated", "\((before + units).inGroups) allocated",
                sentence("SKU \(name) has \(units.counted("unit")) more", outcome)
            )
        }
    }

    /// Takes units off sale again, all of them or none. Redis takes them first, so that nobody can buy them any more; it is done only
    /// once SQL has that, too: until then a recovery may find them sold.
    private func takeBack(_ sku: SKUNumber, units: UInt64) async -> Report {
        let name = catalogue[sku]?.sku ?? "\(sku.rawValue)"
        return await report(what: "reverse restock", subject: name) {
            guard let bucket = catalogue[sku]?.bucket else { throw ActError("SKU \(name) is not in this sale") }
            guard let units = Int64(exactly: units), units <= Self.restockUnitsMax else {
                throw ActError("\(units) units are more than one act moves; give 1 … \(Self.restockUnitsMax)")
            }
            if try await store.sale()?.state == .closed {
                throw ActError("the sale is closed: its books are made; nothing was changed")
            }
            let before = try await store.skuCounters(of: bucket).first { $0.sku == sku }?.allocated ?? 0
            let movement = try await store.restock(sku, units: -units)
            let reached = await acts.apply(movement, patience: Self.patience)
            let giveUpAt = clock.now + Self.patience
            var outcome = try await store.outcome(of: movement)
            while outcome == .pending, reached == .applied, clock.now < giveUpAt {
                try await clock.sleep(for: Self.pauseOfBooks)
                outcome = try await store.outcome(of: movement)
            }
            switch outcome {
            case .applied:
                return (
                    "\(before) allocated", "\(before - units) allocated",
                    "SKU \(name) has \(units.counted("unit")) fewer: they are off sale"
                )
            case .refused:
                throw ActError("fewer than \(units.counted("unit")) are left unsold; nothing was changed")
            case .pending:
                let obstacle = if case .waitsForRecovery(let obstacle) = reached { obstacle } else { "SQL is slow" }
                throw ActError(
                    "not decided yet: once its bucket answers, \(units.counted("unit")) go off sale if they are left then "
                        + "(\(obstacle))")
            }
        }
    }

    /// Records an act that somebody else carries out: a crash in the lab, a repair.
    public func record(what: String, subject: String, before: String, after: String) async {
        try? await store.audit(entry(what, subject, before, after))
    }

    /// The row by which a preflight tries whether SQL commits.
    var noteOfPreflight: AuditEntry { entry("preflight", "sale", "", "a commit of SQL was tried") }

    private func sentence(_ done: String, _ outcome: BucketActs.Outcome) -> String {
        switch outcome {
        case .applied: done
        case .waitsForRecovery(let obstacle): "\(done) in SQL; Redis follows when it can (\(obstacle))"
        }
    }

    private func entry(_ what: String, _ subject: String, _ before: String, _ after: String) -> AuditEntry {
        AuditEntry(
            atMilliseconds: Int64(clock.unixMilliseconds), who: who.who, origin: who.origin, what: what,
            subject: subject,
            before: before, after: after)
    }

    private struct ActError: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private func report(
        what: String, subject: String, _ act: () async throws -> (before: String, after: String, sentence: String)
    ) async -> Report {
        do {
            let (before, after, sentence) = try await act()
            try await store.audit(entry(what, subject, before, after))
            events.add(.info, "\(who.who): \(sentence)")
            return Report(sentence: sentence, succeeded: true)
        } catch {
            let sentence = "\(what) \(subject): \(error)"
            // The refusal is part of the record too, where SQL still takes it.
            try? await store.audit(entry(what, subject, "", "refused: \(error)"))
            events.add(.warning, sentence)
            return Report(sentence: sentence, succeeded: false)
        }
    }
}

extension Duration {
    /// `12 ms`, `1.2 s`
    public var formatted: String {
        let milliseconds = Double(components.seconds) * 1_000 + Double(components.attoseconds) / 1e15
        if milliseconds < 1_000 { return "\(Int(milliseconds.rounded())) ms" }
        let tenths = Int((milliseconds / 100).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }

    /// In milliseconds.
    public var milliseconds: Double { Double(components.seconds) * 1_000 + Double(components.attoseconds) / 1e15 }
}
