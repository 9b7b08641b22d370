import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// Where a key is looked up now, innermost first.
    var contexts: [KeyContext] {
        if isTooSmall { return [] }
        if let top = dialogs.last { return top.contexts(permissions) }
        if palette != nil { return [.palette] }
        if isEditingFilter { return [.filter] }
        if findField != nil { return [.find] }
        return (screen == .overview ? [focus.context] : []) + [screen.context, .screen]
    }

    mutating func press(_ key: KeyPress) -> [Effect] {
        let contexts = self.contexts
        if let intent = Keys.all.intent(for: key, in: contexts) {
            guard Keys.permits(intent, permissions) else { return refuse(intent) }
            return perform(intent)
        }
        if isTooSmall { return key == .char("q") ? perform(.quit) : [] }
        if palette != nil { return typeInPalette { $0.edit(key) } }
        if isEditingFilter {
            if filterField.edit(key) { applyFilter() }
            return []
        }
        if findField != nil {
            findField?.edit(key)
            return []
        }
        switch dialogs.last {
        case .plan(let plan, _) where !wantsTyping(plan):
            // Whatever is not yes leaves the plan unapplied.
            dialogs.removeLast()
            tell("left as it was: nothing was changed")
        case .help, .results, .closing, .alerts:
            dialogs.removeLast()
        default:
            editField { _ = $0.edit(key) }
        }
        return []
    }

    /// Says why a key does nothing here.
    mutating func refuse(_ intent: Intent) -> [Effect] {
        if intent == .crash && !permissions.isReadOnly {
            tell("C is not bound: only a demo's own fleet can be crashed", .warning)
        } else {
            tell("READ-ONLY: keys that change anything are not bound here", .warning)
        }
        return [.bell]
    }

    mutating func perform(_ intent: Intent) -> [Effect] {
        switch intent {
        case .openSale, .halt, .freeze, .restock, .crash, .compare, .applyPlan, .settle, .undo, .closeSale,
            .cancelOpening:
            return act(intent)
        case .checkAgain: return checkAgain()
        case .policy: togglePolicy()
        case .rule: return changeSettlingPolicy()
        case .alerts: dialogs.append(.alerts(scroll: 0))
        case .confirm: return confirm()
        case .move(let motion):
            if case .themes = dialogs.last { return moveTheme(motion) }
            return move(motion)
        case .digit(let number): return press(digit: number)
        case .nextPanel: step(1)
        case .previousPanel: step(-1)
        case .open: return openUnderCursor()
        case .back: return back()
        case .filter:
            if case .sku = screen { pop() }
            if screen != .overview && screen != .stock { go(.stock) }
            focus = .stock
            isEditingFilter = true
            filterField = TextField(list.filter.text, limit: Self.filterLimit)
        case .keepFilter: return keepTyped()
        case .complete: return complete()
        case .choose(let step): choose(step)
        case .run: return runPalette()
        case .palette: palette = Palette()
        case .sort:
            list.nextSort()
            rearrange()
        case .reverseSort:
            list.reverse()
            rearrange()
        case .hold: hold()
        case .help: dialogs.append(.help(scroll: 0))
        case .mark: list.toggleMark(shown.skus)
        case .markAll:
            if list.markAll(shown.skus) {
                tell(
                    "the first \(Formats.grouped(StockList.marksMax)) rows are marked: one act names no more", .warning)
            }
        case .span(let step): span = span.stepped(step)
        case .slot(let step): jump(step)
        case .orderKind: return nextOrderKind()
        case .findOrder: findField = TextField(limit: 64)
        case .themes: return askForTheme()
        case .nextField: stepField(1)
        case .previousField: stepField(-1)
        case .node(let node): choose(node: node)
        case .quit:
            // Whether somebody else's sale is open, no key says; it goes on without us.
            if snapshot.saleState != .open || snapshot.foreign != nil, snapshot.opening == nil { return [.quit] }
            dialogs.append(.quit)
        case .quitNow: return [.quit]
        case .suspend: return [.suspend]
        case .redraw: return [.redraw]
        }
        return []
    }

    mutating func hold() {
        if held != nil {
            held = nil
            rearrange()
        } else {
            held = snapshot
            heldAt = now
        }
    }

    // MARK: Screens

    /// On the overview a digit focuses a panel and again makes it large; elsewhere it goes to a screen, or back from it.
    private mutating func press(digit: Int) -> [Effect] {
        guard ScreenID.numbered.indices.contains(digit - 1) else { return [] }
        let wanted = ScreenID.numbered[digit - 1]
        if screen == .overview, let panel = PanelID(rawValue: digit) {
            if focus == panel { return show(panel.screen) }
            focus = panel
            return []
        }
        if screen == wanted {
            pop()
            return []
        }
        return show(wanted)
    }

    /// Opens a screen, in place of one that a digit opened.
    mutating func show(_ wanted: ScreenID) -> [Effect] {
        if screen != .overview, screen.number != nil, wanted.number != nil { stack.removeLast() }
        go(wanted)
        return look()
    }

    /// Puts a screen on top; one that is there already comes to the front.
    mutating func go(_ wanted: ScreenID) {
        if let panel = wanted.panel { focus = panel }
        if wanted == .overview {
            stack = [.overview]
            return
        }
        stack.removeAll { $0 == wanted }
        stack.append(wanted)
        if stack.count > Self.stackMax { stack.remove(at: 1) }
        refresh()
    }

    /// Closes the topmost screen.
    mutating func pop() {
        guard stack.count > 1 else { return }
        stack.removeLast()
        refresh()
        if let filter = filterBefore, screen != .stock {
            filterBefore = nil
            setFilter(filter)
        }
    }

    private mutating func step(_ direction: Int) {
        let panels = PanelID.allCases
        let place = focus.rawValue - 1 + direction
        focus = panels[(place + panels.count) % panels.count]
    }

    /// Looks closer at what is under the cursor.
    private mutating func openUnderCursor() -> [Effect] {
        switch screen {
        case .overview where focus != .stock: return show(focus.screen)
        case .overview, .stock:
            guard let sku = subject else { return [] }
            // Whoever looks closer at a SKU means that SKU, wherever rows go meanwhile.
            list.moveCursor(to: list.cursorRow, shown.skus)
            go(.sku(sku.number))
        case .sku: pop()
        case .heat:
            guard let bucket = bucketUnderCursor else {
                tell("no SKU lies in this slot; n goes to the next that holds some")
                return []
            }
            showStock(filteredBy: "tag=\(bucket.tag)")
        case .nodes: showStock(filteredBy: "node=\(position(.nodes).cursor + 1)")
        case .ledger, .drift, .orders:
            guard let sku = subject else { return [] }
            go(.sku(sku.number))
        case .events, .audit: pop()
        }
        return look()
    }

    /// The stock list with a filter of its own; the one before comes back when it is closed.
    mutating func showStock(filteredBy text: String) {
        if filterBefore == nil { filterBefore = list.filter.text }
        setFilter(text)
        list.unbind()
        go(.stock)
    }

    mutating func setFilter(_ text: String) {
        filterField = TextField(text, limit: Self.filterLimit)
        applyFilter()
    }

    /// Closes the topmost of dialog, palette, filter being typed, screen, filter, marks; then frees the cursor.
    private mutating func back() -> [Effect] {
        if let top = dialogs.popLast() {
            if case .plan(let plan, _) = top, plan.repairs > 0 { tell("left as it was: nothing was changed") }
        } else if palette != nil {
            palette = nil
        } else if findField != nil {
            findField = nil
        } else if isEditingFilter {
            isEditingFilter = false
            setFilter("")
        } else if screen != .overview && screen != .stock {
            pop()
        } else if !list.filter.isEmpty && filterBefore == nil {
            setFilter("")
        } else if stack.count > 1 {
            pop()
        } else if !list.marks.isEmpty {
            list.unmark()
        } else {
            list.unbind()
            positions = [:]
        }
        return []
    }

    private mutating func keepTyped() -> [Effect] {
        if let field = findField {
            findField = nil
            let text = String(field.text.filter { $0 != " " })
            guard !text.isEmpty else { return [] }
            guard FlowID(text) != nil else {
                tell(
                    "\(SafeText.fitted(text, width: 40)) is no order's id: 32 hex digits, with or without hyphens",
                    .warning)
                return [.bell]
            }
            foundOrder = FoundOrder(id: text)
            return [ask(.order(text))]
        }
        if let problem = filterProblem {
            tell(problem.message, .warning)
            return [.bell]
        }
        isEditingFilter = false
        applyFilter()
        return []
    }

    // MARK: Moving

    private mutating func move(_ motion: Intent.Motion) -> [Effect] {
        if !dialogs.isEmpty {
            moveInDialog(motion)
            return []
        }
        switch screen {
        case .overview where focus == .stock: moveInStock(motion)
        case .stock: moveInStock(motion)
        case .overview: scroll(focus.screen, motion)
        case .sku:
            // From one SKU to the next, in the order of the list.
            guard motion == .up || motion == .down || motion == .first || motion == .last else {
                scroll(screen, motion)
                return []
            }
            moveInStock(motion)
            guard let sku = listSubject else { return [] }
            list.moveCursor(to: list.cursorRow, shown.skus)
            stack[stack.count - 1] = .sku(sku.number)
            return look()
        case .heat: moveInHeat(motion)
        default: scroll(screen, motion)
        }
        return []
    }

    private mutating func moveInStock(_ motion: Intent.Motion) {
        let page = max(1, stockRowsVisible - 1)
        let row = list.cursorRow
        switch motion {
        case .up: list.moveCursor(to: row - 1, shown.skus)
        case .down: list.moveCursor(to: row + 1, shown.skus)
        case .pageUp: list.moveCursor(to: row - page, shown.skus)
        case .pageDown: list.moveCursor(to: row + page, shown.skus)
        case .first: list.unbind()
        case .last: list.moveCursor(to: list.order.count - 1, shown.skus)
        case .left, .right: break
        }
    }

    private mutating func scroll(_ screen: ScreenID, _ motion: Intent.Motion) {
        // Events are read from the newest: up goes back in time.
        let isEvents = screen == .events
        var place = position(screen)
        let limit = rowCount(screen) - 1
        let (step, page) = (isEvents ? -1 : 1, isEvents ? -5 : max(1, screenRowsVisible - 1))
        switch motion {
        case .up: place.cursor -= step
        case .down: place.cursor += step
        case .pageUp: place.cursor -= page
        case .pageDown: place.cursor += page
        case .first: place.cursor = isEvents ? limit : 0
        case .last: place.cursor = isEvents ? 0 : limit
        case .left, .right: break
        }
        place.cursor = min(max(0, place.cursor), max(0, limit))
        positions[screen.slot] = place
    }

    private mutating func moveInDialog(_ motion: Intent.Motion) {
        func moved(_ line: Int, limit: Int) -> Int {
            switch motion {
            case .up, .left: max(0, line - 1)
            case .down, .right: min(limit, line + 1)
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
        case .settling(let plan, let line):
            dialogs[dialogs.count - 1] = .settling(plan, scroll: moved(line, limit: max(0, plan.lines.count - 1)))
        case .results(let line):
            dialogs[dialogs.count - 1] = .results(scroll: moved(line, limit: max(0, (bulk?.results.count ?? 0) - 1)))
        case .alerts(let line):
            dialogs[dialogs.count - 1] = .alerts(scroll: moved(line, limit: max(0, shown.alerts.count - 1)))
        case .closing(let line):
            dialogs[dialogs.count - 1] = .closing(scroll: moved(line, limit: closingScrollLimit))
        case .crash(let node):
            choose(node: motion == .up ? node - 1 : node + 1)
        default: break
        }
    }

    private mutating func stepField(_ direction: Int) {
        if let top = dialogs.last, requiredName(top) != nil {
            isTypingName.toggle()
            return
        }
        guard case .openSale(var dialog) = dialogs.last else { return }
        dialog.focus = (dialog.focus + direction + 2) % 2
        dialogs[dialogs.count - 1] = .openSale(dialog)
    }

    private mutating func choose(node: Int) {
        guard case .crash = dialogs.last, snapshot.nodes.indices.contains(node) else { return }
        dialogs[dialogs.count - 1] = .crash(node: node)
    }
}
