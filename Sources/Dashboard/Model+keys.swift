import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// Where a key is looked up now, innermost first.
    var contexts: [KeyContext] {
        if isTooSmall { return [] }
        if let top = dialogs.last { return top.contexts(permissions) }
        if isEditingFilter { return [.filter] }
        return (showsDetail && focus == .stock ? [.detail] : []) + [focus.context, .screen]
    }

    mutating func press(_ key: KeyPress) -> [Effect] {
        let contexts = self.contexts
        if let intent = Keys.all.intent(for: key, in: contexts) {
            guard Keys.permits(intent, permissions) else { return refuse(intent) }
            return perform(intent)
        }
        if isTooSmall { return key == .char("q") ? perform(.quit) : [] }
        if isEditingFilter {
            if filterField.edit(key) { applyFilter() }
            return []
        }
        if case .plan = dialogs.last {
            // Whatever is not yes leaves the plan unapplied.
            dialogs.removeLast()
            tell("left as it was: nothing was changed")
            return []
        }
        if case .help = dialogs.last {
            dialogs.removeLast()
            return []
        }
        editField { _ = $0.edit(key) }
        return []
    }

    /// Says why a key does nothing here.
    private mutating func refuse(_ intent: Intent) -> [Effect] {
        if intent == .crash && !permissions.isReadOnly {
            tell("C is not bound: only a demo's own fleet can be crashed", .warning)
        } else {
            tell("READ-ONLY: keys that change anything are not bound here", .warning)
        }
        return [.bell]
    }

    mutating func perform(_ intent: Intent) -> [Effect] {
        switch intent {
        case .openSale, .halt, .freeze, .restock, .crash, .compare: return act(intent)
        case .confirm: return confirm()
        case .move(let motion):
            if case .themes = dialogs.last { return moveTheme(motion) }
            move(motion)
        case .focus(let panel): focus(on: panel)
        case .nextPanel: step(1)
        case .previousPanel: step(-1)
        case .open: openFocused()
        case .back: back()
        case .filter:
            focus = .stock
            showsDetail = false
            isEditingFilter = true
            filterField = TextField(list.filter.text, limit: 60)
        case .keepFilter: isEditingFilter = false
        case .sort:
            list.nextSort()
            rearrange()
        case .reverseSort:
            list.reverse()
            rearrange()
        case .hold: hold()
        case .help: dialogs.append(.help(scroll: 0))
        case .themes: return askForTheme()
        case .nextField: stepField(1)
        case .previousField: stepField(-1)
        case .node(let node): choose(node: node)
        case .quit:
            if snapshot.saleState != .open { return [.quit] }
            dialogs.append(.quit)
        case .quitNow: return [.quit]
        case .suspend: return [.suspend]
        case .redraw: return [.redraw]
        }
        return []
    }

    private mutating func hold() {
        if held != nil {
            held = nil
            rearrange()
        } else {
            held = snapshot
            heldAt = now
        }
    }

    // MARK: Moving

    private mutating func focus(on panel: PanelID) {
        if focus == panel { isZoomed.toggle() } else { focus = panel }
    }

    private mutating func step(_ direction: Int) {
        let panels = PanelID.allCases
        let place = focus.rawValue - 1 + direction
        focus = panels[(place + panels.count) % panels.count]
    }

    private mutating func openFocused() {
        if focus != .stock {
            isZoomed.toggle()
        } else if showsDetail {
            showsDetail = false
        } else if let index = list.cursorIndex {
            // Whoever looks closer at a SKU means that SKU, wherever rows go meanwhile.
            list.moveCursor(to: list.cursorRow, shown.skus)
            showsDetail = shown.skus.indices.contains(index)
        }
    }

    /// Closes the topmost of dialog, filter, detail, zoom; then frees the cursor.
    private mutating func back() {
        if let top = dialogs.popLast() {
            if case .plan(let plan, _) = top, plan.repairs > 0 { tell("left as it was: nothing was changed") }
        } else if isEditingFilter || !list.filter.isEmpty {
            isEditingFilter = false
            filterField = TextField(limit: 60)
            applyFilter()
        } else if showsDetail {
            showsDetail = false
        } else if isZoomed {
            isZoomed = false
        } else {
            list.unbind()
            scroll = [:]
        }
    }

    private mutating func move(_ motion: Intent.Motion) {
        if !dialogs.isEmpty { return moveInDialog(motion) }
        guard focus == .stock else { return scrollPanel(motion) }
        let page = max(1, stockRowsVisible - 1)
        let row = list.cursorRow
        switch motion {
        case .up: list.moveCursor(to: row - 1, shown.skus)
        case .down: list.moveCursor(to: row + 1, shown.skus)
        case .pageUp: list.moveCursor(to: row - page, shown.skus)
        case .pageDown: list.moveCursor(to: row + page, shown.skus)
        case .first: list.unbind()
        case .last: list.moveCursor(to: list.order.count - 1, shown.skus)
        }
    }

    private mutating func scrollPanel(_ motion: Intent.Motion) {
        // Events are read from the newest: up goes back in time.
        let up = focus == .events ? 1 : -1
        let lines = scroll[focus] ?? 0
        let page = 5
        switch motion {
        case .up: scroll[focus] = lines + up
        case .down: scroll[focus] = lines - up
        case .pageUp: scroll[focus] = lines + up * page
        case .pageDown: scroll[focus] = lines - up * page
        case .first: scroll[focus] = focus == .events ? scrollLimit(.events) : 0
        case .last: scroll[focus] = focus == .events ? 0 : scrollLimit(focus)
        }
    }

    private mutating func moveInDialog(_ motion: Intent.Motion) {
        func moved(_ line: Int, limit: Int) -> Int {
            switch motion {
            case .up: max(0, line - 1)
            case .down: min(limit, line + 1)
            case .pageUp: max(0, line - 8)
            case .pageDown: min(limit, line + 8)
            case .first: 0
            case .last: limit
            }
        }
        switch dialogs.last {
        case .help(let line): dialogs[dialogs.count - 1] = .help(scroll: moved(line, limit: helpScrollLimit))
        case .plan(let plan, let line):
            dialogs[dialogs.count - 1] = .plan(plan, scroll: moved(line, limit: max(0, plan.lines.count - 1)))
        case .crash(let node):
            choose(node: motion == .up ? node - 1 : node + 1)
        default: break
        }
    }

    private mutating func stepField(_ direction: Int) {
        guard case .openSale(var dialog) = dialogs.last else { return }
        dialog.focus = (dialog.focus + direction + 2) % 2
        dialogs[dialogs.count - 1] = .openSale(dialog)
    }

    private mutating func choose(node: Int) {
        guard case .crash = dialogs.last, snapshot.nodes.indices.contains(node) else { return }
        dialogs[dialogs.count - 1] = .crash(node: node)
    }
}
