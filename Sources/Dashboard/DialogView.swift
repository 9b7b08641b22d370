import Inventory
import Telemetry
import TerminalUI

/// A dialog as it is drawn.
struct Sheet {
    var title: String
    /// Paragraphs; wrapped.
    var text: [Span] = []
    var fields: [NumberField] = []
    var focusedField = 0
    /// A name that must be typed.
    var name: String?
    /// Lines drawn as they are.
    var lines: [[Span]] = []
    var tone: Role = .accent
    var width = 58
}

extension Model {
    func drawDialog(_ dialog: DialogState, on canvas: inout Canvas) {
        switch dialog {
        case .help(let scroll):
            canvas.help(
                helpSections(canvas.glyphs), title: "help", hints: dialogHints(dialog, canvas.glyphs), scroll: scroll)
        case .themes(let choice): drawThemes(choice, dialogHints(dialog, canvas.glyphs), on: &canvas)
        case .plan(let plan, let scroll): drawPlan(plan, scroll, dialog, on: &canvas)
        case .settling(let plan, let scroll): drawSettling(plan, scroll, dialog, on: &canvas)
        case .openSale(let open): draw(openSheet(open, canvas), dialog, on: &canvas)
        case .freeze(let subject, let freezes): draw(freezeSheet(subject, freezes), dialog, on: &canvas)
        case .bulk(let bulk): draw(bulkSheet(bulk, on: canvas), dialog, on: &canvas)
        case .results(let scroll): drawResults(scroll, dialog, on: &canvas)
        case .restock(let restock):
            let sheet = Sheet(
                title: "restock",
                text: [
                    Span(naming(restock.subject), Style(.title, attributes: .bold)),
                    Span("Puts more units of it on sale, in SQL first, then in Redis.", Style(.text)),
                    Span(afterRestock(restock), Style(.dim)),
                ], fields: [restock.units], tone: .good)
            draw(sheet, dialog, on: &canvas)
        case .takeBack(let subject, let units): draw(takeBackSheet(subject, units), dialog, on: &canvas)
        case .crash(let node): draw(crashSheet(node, canvas), dialog, on: &canvas)
        case .schedule(let time, let typed): draw(scheduleSheet(time, typed), dialog, on: &canvas)
        case .closeSale(let expires): draw(closeSheet(expires), dialog, on: &canvas)
        case .closing(let scroll): drawClosing(scroll, dialog, on: &canvas)
        case .alerts(let scroll): drawAlerts(scroll, dialog, on: &canvas)
        case .quit where snapshot.saleState != .open:
            draw(
                Sheet(
                    title: "quit",
                    text: [
                        Span(
                            "This process opens the sale in \(countdown). Quitting takes that back: nothing opens by itself.",
                            Style(.text))
                    ], tone: .warn), dialog, on: &canvas)
        case .quit:
            let text =
                permissions.canOpenWithBuyers
                ? "The sale is open. Quitting ends it: the fleet stops."
                : "The sale is open. It goes on without this screen."
            draw(Sheet(title: "quit", text: [Span(text, Style(.text))], tone: .warn), dialog, on: &canvas)
        }
    }

    /// The dialog's keys, from the key table.
    func dialogHints(_ dialog: DialogState, _ glyphs: Glyphs) -> [Hint] {
        let table = keys
        var hints: [Hint] = []
        for context in dialog.contexts(permissions) {
            hints += table.hints(in: context, glyphs: glyphs).filter { hint in
                hint.key != "X" && !hints.contains { $0.key == hint.key }
            }
        }
        return hints
    }

    // MARK: What each says

    private func naming(_ subject: DialogState.Subject) -> String {
        let name = SafeText.fitted(subject.name, width: 60)
        let left = unitsLeft(subject).map { ": \(Formats.grouped($0)) left" } ?? ": does not answer"
        return "SKU \(SafeText.fitted(subject.sku, width: 40))  \(name)\(left)"
    }

    /// What is left of it now: the dialog stays with its SKU, the number moves on.
    private func unitsLeft(_ subject: DialogState.Subject) -> Int64? {
        guard let sku = sku(subject.number, in: snapshot) else { return subject.left }
        return sku.stock
    }

    /// What there will be, as the number is typed.
    private func afterRestock(_ restock: DialogState.Restock) -> String {
        guard let left = unitsLeft(restock.subject) else { return "How many are left now, its bucket does not say." }
        guard let units = restock.units.value else { return "\(Formats.grouped(left)) are left now." }
        return
            "\(Formats.grouped(left)) are left now, then \(Formats.grouped(left + Int64(units))), less what sells meanwhile."
    }

    /// Exactly what will happen, SKU by SKU.
    private func bulkSheet(_ bulk: DialogState.Bulk, on canvas: Canvas) -> Sheet {
        var sheet = Sheet(title: "", width: 66)
        let number = count(bulk.subjects.count, "SKU")
        let left = bulk.subjects.reduce(Int64(0)) { $0 + max(0, unitsLeft($1) ?? 0) }
        switch bulk.deed {
        case .freeze(let freezes):
            sheet.title = freezes ? "freeze \(number)" : "thaw \(number)"
            sheet.tone = freezes ? .frozen : .good
            sheet.text = [
                Span(
                    freezes
                        ? "Nobody can buy \(number) until thawed; \(count(left, "unit")) of them stay."
                        : "\(number) with \(count(left, "unit")) left can be bought again.",
                    Style(.title, attributes: .bold))
            ]
            if bulk.already > 0 {
                sheet.text.append(
                    Span(
                        "\(count(bulk.already, "other")) marked \(bulk.already == 1 ? "is" : "are") \(freezes ? "frozen" : "selling") already and left alone.",
                        Style(.dim)))
            }
        case .restock:
            sheet.title = "restock \(number)"
            sheet.tone = .good
            let each = bulk.units?.value ?? 0
            sheet.text = [
                Span(
                    each > 0
                        ? "Puts \(Formats.grouped(each)) more units of each on sale: \(Formats.grouped(each * bulk.subjects.count)) units in all."
                        : "Puts more units of each on sale, in SQL first, then in Redis.",
                    Style(.title, attributes: .bold))
            ]
            sheet.fields = bulk.units.map { [$0] } ?? []
        case .takeBack(let units):
            sheet.title = "undo restock \(number)"
            sheet.tone = .warn
            sheet.text = [
                Span(
                    "Takes \(Formats.grouped(units)) units of each off sale again, where so many are still unsold; "
                        + "where fewer are, nothing of that SKU.",
                    Style(.title, attributes: .bold))
            ]
        }
        let around = 3 + (bulk.units == nil ? 0 : 1) + (permissions.isProduction ? 2 : 0)
        let room = isSmall ? max(1, min(12, canvas.dialogRows - around)) : max(3, min(12, canvas.height - 14))
        let shown = bulk.subjects.count > room ? room - 1 : bulk.subjects.count
        // In columns: what is left must be read at a glance before it is confirmed.
        let rows = bulk.subjects.prefix(shown).map { subject in
            (
                sku: SafeText.fitted(subject.sku, width: 12),
                name: SafeText.fitted(
                    subject.name,
                    width: canvas.isNarrowDialog ? max(4, canvas.width - 23 - min(12, list.skuWidth)) : 28,
                    ellipsis: canvas.glyphs.ellipsis),
                left: unitsLeft(subject).map { Formats.grouped($0) + " left" } ?? "does not answer"
            )
        }
        let widths = (
            sku: rows.map { SafeText.width($0.sku) }.max() ?? 0, name: rows.map { SafeText.width($0.name) }.max() ?? 0,
            left: rows.map(\.left.count).max() ?? 0
        )
        for row in rows {
            sheet.lines.append([
                Span(row.sku.padded(to: widths.sku) + "  ", Style(.dim)),
                Span(row.name.padded(to: widths.name) + "  ", Style(.text)),
                Span(Formats.padded(row.left, widths.left), Style(.title)),
            ])
        }
        if shown < bulk.subjects.count {
            sheet.lines.append([Span("and \(Formats.grouped(bulk.subjects.count - shown)) more", Style(.dim))])
        }
        return sheet
    }

    /// What became of each part of a bulk act, as the answers come.
    private func drawResults(_ scroll: Int, _ dialog: DialogState, on canvas: inout Canvas) {
        guard let act = bulk else { return }
        let width = canvas.dialogWidth(96)
        let head = isSmall ? 1 : 2
        let room = max(1, min(act.subjects.count, canvas.dialogRows - head - (isSmall ? 0 : 2)))
        let tone: Role = act.failures > 0 ? .bad : act.isDone ? .good : .accent
        let panel = Panel(
            act.word, details: ["\(act.results.count) of \(count(act.subjects.count, "SKU"))"],
            hints: dialogHints(dialog, canvas.glyphs), isFocused: true, frame: tone)
        canvas.sheet(panel, width: width, lines: room + head) { canvas in
            let sum =
                !act.isDone
                ? "one after another…"
                : act.failures == 0 ? "all done" : "\(act.results.count - act.failures) done, \(act.failures) not"
            canvas.put(0, 0, canvas.own(sum), Style(.role(tone), attributes: .bold))
            let first = min(scroll, max(0, act.subjects.count - room))
            for line in 0..<room {
                let index = first + line
                guard act.subjects.indices.contains(index) else { return }
                let subject = act.subjects[index]
                let y = head + line
                let report = act.results.indices.contains(index) ? act.results[index] : nil
                let style: Style =
                    report.map { $0.succeeded ? Style(.good) : Style(.bad, attributes: .bold) } ?? Style(.dim)
                let glyph =
                    report.map { $0.succeeded ? canvas.glyphs.calm : canvas.glyphs.down } ?? canvas.glyphs.bullet
                canvas.put(0, y, glyph, style)
                canvas.label(
                    2, y, width: canvas.width - 2, report?.sentence ?? "\(subject.sku)  \(subject.name)",
                    report == nil ? Style(.dim) : Style(.text))
            }
        }
    }

    private func freezeSheet(_ subject: DialogState.Subject, _ freezes: Bool) -> Sheet {
        Sheet(
            title: freezes ? "freeze" : "thaw",
            text: [
                Span(naming(subject), Style(.title, attributes: .bold)),
                Span(
                    freezes ? "Nobody can buy it until it is thawed; its units stay." : "It can be bought again.",
                    Style(.text)),
            ], tone: freezes ? .frozen : .good)
    }

    private func takeBackSheet(_ subject: DialogState.Subject, _ units: Int64) -> Sheet {
        Sheet(
            title: "undo restock",
            text: [
                Span(naming(subject), Style(.title, attributes: .bold)),
                Span(
                    "Takes \(count(units, "unit")) of it off sale again, if so many are still unsold; if fewer are, none.",
                    Style(.text)),
            ], tone: .warn)
    }

    private func crashSheet(_ chosen: Int, _ canvas: Canvas) -> Sheet {
        let glyphs = canvas.glyphs
        var sheet = Sheet(title: "crash", tone: .bad)
        let node = snapshot.nodes.indices.contains(chosen) ? snapshot.nodes[chosen] : nil
        let width = canvas.dialogWidth(sheet.width)
        if let node {
            sheet.text = [
                Span(
                    "kill -9 node \(chosen + 1) (\(node.address)); "
                        + (permissions.hasReplicas
                            ? "its replica takes over"
                            : "it comes back \(snapshot.durability == .aof ? "with its append-only file" : "empty")"),
                    Style(.bad, attributes: .bold)),
                Span(crashCost, Style(.text)),
            ]
        }
        let told = sheet.text.reduce(0) { $0 + canvas.wrapped($1.text, width: width, lines: 6).count }
        // As many as have room, the chosen one among them.
        let room = max(1, canvas.dialogRows - told - (isSmall ? 0 : 1))
        let first = min(max(0, chosen - room / 2), max(0, snapshot.nodes.count - room))
        sheet.lines = snapshot.nodes.enumerated().dropFirst(first).prefix(room).map { index, node in
            let isChosen = index == chosen
            let style = Style(isChosen ? .title : .dim, attributes: isChosen ? .bold : [])
            return [
                Span(isChosen ? glyphs.cursor + " " : "  ", Style(.focusBorder, attributes: .bold)),
                Span("\(index + 1)", Style(.hot, attributes: .bold)),
                Span(canvas.isNarrowDialog ? "  \(node.address)" : "  node \(index + 1)  \(node.address)", style),
                Span(node.isUp ? "" : "  DOWN", Style(.bad, attributes: .bold)),
                Span("  " + count(node.buckets, "bucket"), style),
            ]
        }
        return sheet
    }

    /// What a killed node may cost at the sale's durability.
    private var crashCost: String {
        switch snapshot.durability {
        case .durable: "At durable no acknowledged order is lost: its buckets are fenced and rebuilt from SQL."
        case .replicated(let count):
            "At replicated:\(count) an acknowledged order is on \(count.counted("replica")), too: the one that takes over has it."
        case .aof: "At aof an acknowledged order is in that file; only a power cut can take its last second."
        case .memory: "At memory what SQL does not have yet is lost, and its units are sold twice."
        }
    }

    // MARK: Drawing

    func draw(_ sheet: Sheet, _ dialog: DialogState, on canvas: inout Canvas) {
        let width = canvas.dialogWidth(sheet.width)
        var sheet = sheet
        sheet.name = requiredName(dialog)
        let fieldRows = sheet.fields.count + nameRows(sheet.name, canvas)
        let lines = fitted(sheet, width: width, rows: max(1, canvas.dialogRows - fieldRows), canvas)
        let gap = fieldRows > 0 && lines.count + fieldRows < canvas.dialogRows ? 1 : 0
        let panel = Panel(sheet.title, hints: dialogHints(dialog, canvas.glyphs), isFocused: true, frame: sheet.tone)
        canvas.sheet(panel, width: width, lines: lines.count + gap + fieldRows) { canvas in
            for (index, line) in lines.enumerated() { canvas.fit(0, index, width: width, line) }
            drawFields(sheet, y: lines.count + gap, width: width, on: &canvas)
        }
    }

    /// The paragraphs wrapped, then the lines. Where rows are few, air goes first, then what is only remarked, from the end.
    private func fitted(_ sheet: Sheet, width: Int, rows: Int, _ canvas: Canvas) -> [[Span]] {
        var text = sheet.text
        var hasAir = true
        while true {
            var lines = text.flatMap { paragraph in
                canvas.wrapped(paragraph.text, width: width, lines: 6).map { [Span($0, paragraph.style)] }
            }
            let own = hasAir ? sheet.lines : sheet.lines.filter { !$0.isEmpty }
            if !own.isEmpty { lines += (hasAir && !lines.isEmpty ? [[]] : []) + own }
            if lines.count <= rows { return lines }
            if hasAir {
                hasAir = false
            } else if let remark = text.lastIndex(where: { $0.style.foreground == .dim }) {
                text.remove(at: remark)
            } else {
                return lines.prefix(max(0, rows - 1)) + [[Span(canvas.own("…"), Style(.dim))]]
            }
        }
    }

    /// Lines that the field for a name takes.
    func nameRows(_ name: String?, _ canvas: Canvas) -> Int { name == nil ? 0 : canvas.isNarrowDialog ? 2 : 1 }

    private func drawFields(_ sheet: Sheet, y: Int, width: Int, on canvas: inout Canvas) {
        let labels = max(sheet.fields.map { $0.label.count }.max() ?? 0, sheet.name == nil ? 0 : 4)
        let size = canvas.isNarrowDialog ? 9 : 14
        for (index, field) in sheet.fields.enumerated() {
            let isFocused = index == sheet.focusedField && !isNameFocused
            let row = y + index
            canvas.put(0, row, field.label, Style(isFocused ? .title : .dim, attributes: isFocused ? .bold : []))
            let x = labels + 2
            canvas.field(x, row, width: size, field.text, isFocused: isFocused)
            // An empty field that nobody typed into yet is not a mistake.
            let isProblem = field.problem != nil && !field.text.text.isEmpty
            let remark = field.problem ?? field.unit
            canvas.label(
                x + size + 2, row, width: width - labels - size - 4, remark,
                isProblem ? Style(.bad, attributes: .bold) : Style(.dim))
        }
        guard let name = sheet.name else { return }
        drawName(name, y: y + sheet.fields.count, width: width, on: &canvas)
    }

    /// The field for a name that must be typed at a place marked production: in one line, or in two where that is too short.
    func drawName(_ name: String, y: Int, width: Int, on canvas: inout Canvas) {
        let isRight = typedName.text == name
        let remark =
            isRight ? "Enter does it" : "\(permissions.isProduction ? "PROD" : "to override"): type \(name)"
        let style = isRight ? Style(.good, attributes: .bold) : Style(.bad, attributes: .bold)
        if canvas.isNarrowDialog {
            canvas.label(0, y, width: width, remark, style)
            canvas.field(0, y + 1, width: width, typedName, isFocused: isNameFocused)
            return
        }
        canvas.put(0, y, "type", Style(isNameFocused ? .title : .dim, attributes: isNameFocused ? .bold : []))
        canvas.field(6, y, width: 20, typedName, isFocused: isNameFocused)
        canvas.label(28, y, width: width - 28, remark, style)
    }
}
