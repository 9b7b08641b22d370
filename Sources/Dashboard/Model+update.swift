import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// Moves the screen and says what it wants done. Pure: the same model and message always give the same.
    public mutating func update(_ message: Message) -> [Effect] {
        switch message {
        case .snapshot(let newest):
            take(newest)
        case .tick(let seconds):
            now = seconds
            if let notice, now - notice.since >= Notice.secondsShown { self.notice = nil }
            return lookAgain()
        case .resized(let columns, let rows):
            (self.columns, self.rows) = (max(0, columns), max(0, rows))
            settle()
        case .key(let key):
            let effects = press(key)
            settle()
            return effects
        case .paste(let text):
            paste(text)
            settle()
        case .mouse(let event):
            let effects = click(event)
            settle()
            return effects
        case .actDone(let report):
            tell(report.sentence, report.succeeded ? .good : .bad)
            noteUndo(of: report.done.map { [$0] } ?? [])
            return report.succeeded ? [] : [.bell]
        case .bulkStep(let id, let report):
            return take(report, ofBulk: id)
        case .seen(let look, let sight):
            looks[look]?.isAwaited = false
            let anchor = anchor
            sights[look] = sight
            hold(anchor)
            settle()
        case .planReady(let plan):
            isComparing = false
            (lastPlan, lastPlanAt) = (plan, now)
            if dialogs.isEmpty && !isTyping {
                dialogs = [.plan(plan, scroll: 0)]
            } else {
                waitingPlan = plan
                tell("the comparison is ready: R shows it", plan.repairs > 0 ? .warning : .good)
            }
        case .settlingReady(let plan): take(plan)
        case .preflight(let list): return take(list)
        case .closing(let report): return take(report)
        case .themeChanged(let theme):
            take(theme)
        case .themePreview(let name, let result):
            tryOn(name, result)
        case .themeChosen(let name, let theme):
            (self.theme, themeName, themeBefore) = (theme, name, nil)
            if !themeNames.contains(name) { themeNames = (themeNames + [name]).sorted() }
            tell("theme: \(SafeText.fitted(name, width: 24)) in your config file keeps it for good", .good)
        case .notice(let text, let severity):
            tell(text, severity)
        }
        return []
    }

    private mutating func take(_ newest: WarRoomSnapshot) {
        let anchor = screen == .drift ? self.anchor : nil
        snapshot = newest
        hold(anchor)
        guard held == nil else { return }
        list.take(newest, now: now)
        refresh()
        settle()
    }

    /// What the open screen derives from the snapshot at some cost.
    mutating func refresh() {
        if screen == .ledger {
            let anchor = anchor
            largestLedgers = Self.largest(shown.skus)
            hold(anchor)
        }
        if screen == .heat { goToHottest() }
    }

    /// Whether keys go into a line of text.
    var isTyping: Bool { isEditingFilter || palette != nil || findField != nil }

    /// Keeps cursor and scroll positions where there is something to see.
    mutating func settle() {
        settleTheme()
        list.settle(visible: stockRowsVisible)
        for screen in positions.keys {
            var place = position(screen)
            place.settle(count: rowCount(screen), visible: screen == self.screen.slot ? screenRowsVisible : 1)
            positions[screen] = place
        }
        if dialogs.isEmpty {
            typedName = TextField(limit: 64)
            isTypingName = false
        }
    }

    private mutating func paste(_ text: String) {
        if palette != nil {
            _ = typeInPalette { $0.insert(text) }
        } else if isEditingFilter {
            filterField.insert(text)
            applyFilter()
        } else if findField != nil {
            findField?.insert(text)
        } else {
            editField { $0.insert(text) }
        }
    }

    /// Changes the field that is being typed into; nothing where there is none.
    /// - Returns: what the change gives, false without a field.
    @discardableResult
    mutating func editField<Result>(_ edit: (inout TextField) -> Result) -> Result? {
        if isNameFocused { return edit(&typedName) }
        guard let top = dialogs.popLast() else { return nil }
        var result: Result?
        switch top {
        case .restock(var dialog):
            result = edit(&dialog.units.text)
            dialogs.append(.restock(dialog))
        case .bulk(var dialog) where dialog.units != nil:
            result = dialog.units.editing(edit)
            dialogs.append(.bulk(dialog))
        case .openSale(var dialog) where dialog.buyers != nil:
            result = dialog.focus == 0 ? dialog.buyers.editing(edit) : dialog.seconds.editing(edit)
            dialogs.append(.openSale(dialog))
        default:
            dialogs.append(top)
        }
        return result
    }

    /// Applies the filter as far as it can be read; else the last good one stays. So it does while a column's name is being typed
    /// and no row holds that word.
    mutating func applyFilter() {
        do {
            let wanted = try StockFilter(parsing: filterField.text)
            filterProblem = nil
            let before = list.filter
            list.setFilter(wanted)
            rearrange()
            if isEditingFilter, list.order.isEmpty, wanted.beginsColumn {
                list.setFilter(before)
                rearrange()
            }
        } catch {
            filterProblem = error
        }
    }

    mutating func rearrange() { list.arrange(shown, now: now) }
}

extension NumberField? {
    fileprivate mutating func editing<Result>(_ edit: (inout TextField) -> Result) -> Result? {
        guard var field = self else { return nil }
        let result = edit(&field.text)
        self = field
        return result
    }
}
