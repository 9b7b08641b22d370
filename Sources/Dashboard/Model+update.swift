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
            return report.succeeded ? [] : [.bell]
        case .planReady(let plan):
            isComparing = false
            if dialogs.isEmpty && !isEditingFilter {
                dialogs = [.plan(plan, scroll: 0)]
            } else {
                waitingPlan = plan
                tell("the comparison is ready: R shows it", plan.repairs > 0 ? .warning : .good)
            }
        case .themeChanged(let theme):
            take(theme)
        case .themePreview(let name, let result):
            tryOn(name, result)
        case .themeChosen(let name, let theme):
            (self.theme, themeName, themeBefore) = (theme, name, nil)
            if !themeNames.contains(name) { themeNames = (themeNames + [name]).sorted() }
            tell("theme \(SafeText.fitted(name, width: 40)): “theme: …” in the config file keeps it for good", .good)
        case .notice(let text, let severity):
            tell(text, severity)
        }
        return []
    }

    private mutating func take(_ newest: WarRoomSnapshot) {
        snapshot = newest
        guard held == nil else { return }
        list.take(newest, now: now)
        settle()
    }

    /// Keeps cursor and scroll positions where there is something to see.
    mutating func settle() {
        settleTheme()
        list.settle(visible: stockRowsVisible)
        for (panel, lines) in scroll { scroll[panel] = min(max(0, lines), scrollLimit(panel)) }
    }

    private mutating func paste(_ text: String) {
        if isEditingFilter {
            filterField.insert(text)
            applyFilter()
        } else {
            editField { $0.insert(text) }
        }
    }

    /// Changes the field that is being typed into; nothing where there is none.
    /// - Returns: what the change gives, false without a field.
    @discardableResult
    mutating func editField<Result>(_ edit: (inout TextField) -> Result) -> Result? {
        guard let top = dialogs.popLast() else { return nil }
        var result: Result?
        switch top {
        case .restock(var dialog):
            result = edit(&dialog.units.text)
            dialogs.append(.restock(dialog))
        case .openSale(var dialog) where dialog.buyers != nil:
            result = dialog.focus == 0 ? dialog.buyers.editing(edit) : dialog.seconds.editing(edit)
            dialogs.append(.openSale(dialog))
        default:
            dialogs.append(top)
        }
        return result
    }

    mutating func applyFilter() {
        list.setFilter(filterField.text)
        list.arrange(shown, now: now)
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
