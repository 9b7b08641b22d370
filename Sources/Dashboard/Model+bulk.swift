import Inventory
import Telemetry
import TerminalUI

// Acts on several SKUs at once, and names typed at a place marked production.

extension Model {
    /// What is marked, in the order of the rows, as it was when the key went down; `nil` where nothing is, or another SKU is meant.
    var markedSubjects: [DialogState.Subject]? {
        guard !list.marks.isEmpty, screen == .stock || screen == .overview && focus == .stock else { return nil }
        let skus = shown.skus
        var subjects: [DialogState.Subject] = []
        var seen = Set<SKUNumber>()
        for row in list.order where list.marks.contains(skus[Int(row)].number) {
            subjects.append(DialogState.Subject(skus[Int(row)]))
            seen.insert(skus[Int(row)].number)
        }
        // Marks stay on rows that the filter hides.
        if seen.count < list.marks.count {
            for sku in skus where list.marks.contains(sku.number) && !seen.contains(sku.number) {
                subjects.append(DialogState.Subject(sku))
            }
        }
        return subjects
    }

    /// Freezes what is not frozen yet; where all of it is, thaws it.
    mutating func askToFreeze(_ marked: [DialogState.Subject]) -> [Effect] {
        let freezes = marked.contains { !$0.isFrozen }
        let concerned = marked.filter { $0.isFrozen != freezes }
        dialogs.append(
            .bulk(
                DialogState.Bulk(
                    subjects: concerned, deed: .freeze(freezes), already: marked.count - concerned.count)))
        return []
    }

    /// Begins a bulk act; `nil` while its field is wrong.
    mutating func begin(_ dialog: DialogState.Bulk) -> Effect? {
        let id = (bulk?.id ?? 0) + 1
        var parts: [BulkPart] = []
        let word: String
        switch dialog.deed {
        case .freeze(let freezes):
            parts = dialog.subjects.map { .setFrozen($0.number, freezes) }
            undo = Undo(subjects: dialog.subjects, deed: .freeze(!freezes))
            word = freezes ? "freezing" : "thawing"
        case .restock:
            guard let units = dialog.units?.value else { return nil }
            parts = dialog.subjects.map { .restock($0.number, units: Int64(units)) }
            word = "restocking"
        case .takeBack(let units):
            parts = dialog.subjects.map { .restock($0.number, units: -units) }
            word = "taking back"
        }
        bulk = BulkAct(id: id, word: word, subjects: dialog.subjects)
        list.unmark()
        return .bulk(id: id, parts)
    }

    /// Takes what became of the next part.
    mutating func take(_ report: ActReport, ofBulk id: Int) -> [Effect] {
        guard var act = bulk, act.id == id, !act.isDone else { return [] }
        act.results.append(report)
        bulk = act
        guard act.isDone else { return [] }
        noteUndo(of: act.results.compactMap(\.done))
        let done = act.results.count - act.failures
        tell(
            "\(act.word): \(done) of \(count(act.results.count, "SKU")) done"
                + (act.failures > 0
                    ? ", \(act.failures) not: \(act.results.first { !$0.succeeded }?.sentence ?? "")" : ""),
            act.failures > 0 ? .bad : .good)
        return act.failures > 0 ? [.bell] : []
    }

    // MARK: Production

    /// What must be typed before a dialog does what it says; `nil` where `y` is enough.
    func requiredName(_ dialog: DialogState) -> String? {
        if case .openSale(let open) = dialog, open.list?.decision == .noGo(mayBeOverridden: true) {
            return Self.typable(snapshot.saleName)
        }
        guard permissions.isProduction else { return nil }
        switch dialog {
        case .freeze(let subject, _): return Self.typable(subject.sku)
        case .restock(let dialog): return Self.typable(dialog.subject.sku)
        case .takeBack(let subject, _): return Self.typable(subject.sku)
        case .bulk, .plan, .settling, .schedule, .closeSale: return Self.typable(snapshot.saleName)
        case .openSale(let dialog): return dialog.buyers == nil ? Self.typable(snapshot.saleName) : nil
        case .crash, .quit, .help, .results, .themes, .closing, .alerts: return nil
        }
    }

    /// Whether keys go into the name's field: it has the focus, or is the only field.
    var isNameFocused: Bool {
        guard let top = dialogs.last, requiredName(top) != nil else { return false }
        switch top {
        case .restock: return isTypingName
        case .bulk(let dialog): return isTypingName || dialog.units == nil
        default: return true
        }
    }

    /// A name as the field can hold it.
    static func typable(_ name: String) -> String { TextField(SafeText.visible(name), limit: 64).text }

    /// Whether keys go into a plan's name field, rather than leave the plan.
    func wantsTyping(_ plan: PlanSummary) -> Bool {
        permissions.isProduction && plan.repairs > 0 && !permissions.isReadOnly
    }
}
