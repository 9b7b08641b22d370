import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// Begins an act: opens its dialog, or does it where asking would cost.
    mutating func act(_ intent: Intent) -> [Effect] {
        if let why = whyNoActOnSKUs(intent) {
            tell(why, .warning)
            return []
        }
        switch intent {
        case .halt:
            // The brake never asks, and never argues with a state that may be a moment old.
            if snapshot.saleState == .closed {
                tell("the sale is closed: there is nothing to halt", .warning)
                return []
            }
            dialogs.removeAll()
            tell("halting the sale everywhere…", .warning)
            return [.haltSale]
        case .openSale:
            return askToOpen()
        case .freeze:
            if let marked = markedSubjects { return askToFreeze(marked) }
            guard let sku = subject else { return nothingUnderCursor() }
            dialogs.append(.freeze(DialogState.Subject(sku), freezes: !sku.frozen))
        case .restock:
            if let marked = markedSubjects {
                dialogs.append(.bulk(DialogState.Bulk(subjects: marked, deed: .restock, units: restockField)))
                return []
            }
            guard let sku = subject else { return nothingUnderCursor() }
            askToRestock(sku)
        case .applyPlan:
            guard let plan = lastPlan else {
                tell("there is no plan yet: R compares and makes one")
                return []
            }
            dialogs.append(.plan(plan, scroll: 0))
        case .settle: return askToSettle()
        case .undo:
            guard let undo else {
                tell("nothing to undo: the last freeze, thaw or restock of this screen can be")
                return []
            }
            ask(undo)
        case .closeSale: askToClose()
        case .cancelOpening:
            guard snapshot.opening != nil else {
                tell("nothing is to open by itself")
                return []
            }
            return [.cancelOpening]
        case .crash:
            guard !snapshot.nodes.isEmpty else {
                tell("no node is up yet", .warning)
                return []
            }
            let node =
                screen == .nodes ? position(.nodes).cursor : screen == .heat ? bucketUnderCursor?.node : subjectNode
            let wanted = node.flatMap { snapshot.nodes.indices.contains($0) && snapshot.nodes[$0].isUp ? $0 : nil }
            dialogs.append(.crash(node: wanted ?? snapshot.nodes.firstIndex(where: \.isUp) ?? 0))
        case .compare:
            if let plan = waitingPlan {
                waitingPlan = nil
                dialogs.append(.plan(plan, scroll: 0))
                return []
            }
            if isComparing {
                tell("comparing already; the result comes by itself")
                return []
            }
            isComparing = true
            tell("comparing Redis with SQL, bucket by bucket; this reads only…")
            return [.compare]
        default: break
        }
        return []
    }

    private mutating func ask(_ undo: Undo) {
        // The same SKUs, with what is left of them now.
        var undo = undo
        undo.subjects = undo.subjects.map { subject in sku(subject.number).map { DialogState.Subject($0) } ?? subject }
        switch (undo.deed, undo.subjects.count) {
        case (.freeze(let freezes), 1): dialogs.append(.freeze(undo.subjects[0], freezes: freezes))
        case (.takeBack(let units), 1): dialogs.append(.takeBack(undo.subjects[0], units: units))
        case (.freeze(let freezes), _):
            dialogs.append(.bulk(DialogState.Bulk(subjects: undo.subjects, deed: .freeze(freezes))))
        case (.takeBack(let units), _):
            dialogs.append(.bulk(DialogState.Bulk(subjects: undo.subjects, deed: .takeBack(units))))
        }
    }

    /// Remembers what a restock brought, or forgets it once it is gone again.
    mutating func noteUndo(of parts: [BulkPart]) {
        var units: Int64 = 0
        var subjects: [DialogState.Subject] = []
        for case .restock(let number, let moved) in parts {
            units = moved
            if let sku = sku(number) { subjects.append(DialogState.Subject(sku)) }
        }
        if units > 0, !subjects.isEmpty {
            undo = Undo(subjects: subjects, deed: .takeBack(units))
        } else if units < 0, case .takeBack? = undo?.deed {
            undo = nil
        }
    }

    private var subjectNode: Int? { screen != .overview || focus == .stock ? subject?.node : nil }

    private var restockField: NumberField { NumberField("add", nil, in: 1...Limits.restockMax, unit: "units each") }

    mutating func askToRestock(_ sku: WarRoomSnapshot.SKU) {
        let field = NumberField("add", nil, in: 1...Limits.restockMax, unit: "units")
        dialogs.append(.restock(DialogState.Restock(subject: DialogState.Subject(sku), units: field)))
    }

    private mutating func nothingUnderCursor() -> [Effect] {
        tell("no SKU stands under the cursor", .warning)
        return []
    }

    mutating func askToOpen() -> [Effect] {
        switch (snapshot.phase, snapshot.saleState) {
        case (.starting, _):
            tell("still starting: the sale can be opened in a moment", .warning)
        case (_, .closed):
            tell("the sale is closed: a closed sale does not open again", .warning)
        case (_, .open) where !permissions.canOpenWithBuyers:
            tell("the sale is open already; X halts it", .warning)
        case (_, .open) where (snapshot.orders.buyersPerSecond ?? 0) > 0:
            tell("the sale is open and has its buyers; X halts it", .warning)
        default:
            var dialog = DialogState.OpenSale()
            if permissions.canOpenWithBuyers {
                dialog.buyers = NumberField(
                    "buyers", proposedBuyersPerSecond, in: 1...Limits.buyersMax, unit: "a second")
                dialog.seconds = NumberField("for", proposedSeconds, in: 1...Limits.secondsMax, unit: "seconds")
            }
            if snapshot.saleState == .open {
                dialogs.append(.openSale(dialog))
                return []
            }
            dialog.list = PreflightReport()
            dialogs.append(.openSale(dialog))
            return [.preflight]
        }
        return []
    }

    /// Does what the topmost dialog says, if it can be done; a dialog with a wrong field stays.
    mutating func confirm() -> [Effect] {
        guard let top = dialogs.last else { return [] }
        if let name = requiredName(top), typedName.text != name {
            isTypingName = true
            return [.bell]
        }
        var effects: [Effect] = []
        switch top {
        case .openSale(let dialog):
            if let buyers = dialog.buyers, let seconds = dialog.seconds {
                guard let rate = buyers.value, let length = seconds.value else { return [.bell] }
                (proposedBuyersPerSecond, proposedSeconds) = (rate, length)
            }
            guard let effect = opening(dialog) else { return [] }
            if effect == .bell { return [.bell] }
            effects = [effect]
            tell("opening the sale…")
        case .schedule(let time, let typed):
            let buyers = permissions.canOpenWithBuyers
            effects = [
                .scheduleOpening(
                    time, buyersPerSecond: buyers ? Double(proposedBuyersPerSecond) : nil,
                    seconds: buyers ? Double(proposedSeconds) : nil)
            ]
            tell("the sale is to open at \(typed)…")
        case .closeSale(let expires):
            closing = ClosingReport(saleName: snapshot.saleName)
            dialogs.removeLast()
            dialogs.append(.closing(scroll: 0))
            return [.closeSale(expires: expires)]
        case .freeze(let subject, let freezes):
            effects = [.setFrozen(subject.number, freezes)]
            undo = Undo(subjects: [subject], deed: .freeze(!freezes))
            tell("\(freezes ? "freezing" : "thawing") \(subject.shortSKU)…")
        case .restock(let dialog):
            guard let units = dialog.units.value else { return fieldIsWrong() }
            effects = [.restock(dialog.subject.number, units: Int64(units))]
            tell("restocking \(dialog.subject.shortSKU) by \(Formats.grouped(units)) units…")
        case .takeBack(let subject, let units):
            effects = [.restock(subject.number, units: -units)]
            tell("taking \(Formats.grouped(units)) units of \(subject.shortSKU) off sale again…")
        case .bulk(let dialog):
            guard let effect = begin(dialog) else { return fieldIsWrong() }
            dialogs.removeLast()
            dialogs.append(.results(scroll: 0))
            return [effect]
        case .crash(let node):
            effects = [.crash(node: node)]
            tell("killing node \(node + 1)…", .warning)
        case .plan(let plan, _):
            guard plan.repairs > 0 && !permissions.isReadOnly else { return [] }
            effects = [.applyPlan(id: plan.id)]
            lastPlan = nil
            tell("applying \(count(plan.repairs, "repair"))…")
        case .settling(let plan, _):
            guard !permissions.isReadOnly else { return [] }
            effects = [.applySettling(id: plan.id)]
            tell("settling \(count(plan.losers + plan.takenIn, "order"))…", .warning)
        case .quit:
            effects = [.quit]
        case .help, .results, .closing, .alerts:
            return []
        case .themes(let choice):
            effects = confirm(choice)
            if effects == [.bell] { return effects }
        }
        dialogs.removeLast()
        return effects
    }

    private mutating func fieldIsWrong() -> [Effect] {
        isTypingName = false
        return [.bell]
    }
}

extension DialogState.Subject {
    /// The SKU, short enough for a sentence.
    var shortSKU: String { SafeText.fitted(sku, width: 24) }
}

/// `1 repair`, `2 repairs`, `1,000 SKUs`.
func count(_ number: some BinaryInteger, _ noun: String) -> String {
    "\(Formats.grouped(number)) \(noun)\(number == 1 ? "" : "s")"
}
