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
        case .crash(let node): draw(crashSheet(node, canvas.glyphs), dialog, on: &canvas)
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
        let table = Keys.table(permissions)
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
        let left = subject.left.map { ": \(Formats.grouped($0)) left" } ?? ": does not answer"
        return "SKU \(SafeText.fitted(subject.sku, width: 40))  \(name)\(left)"
    }

    /// What there will be, as the number is typed.
    private func afterRestock(_ restock: DialogState.Restock) -> String {
        guard let left = restock.subject.left else { return "How many are left now, its bucket does not say." }
        guard let units = restock.units.value else { return "\(Formats.grouped(left)) are left now." }
        return
            "\(Formats.grouped(left)) are left now, then \(Formats.grouped(left + Int64(units))), less what sells meanwhile."
    }

    /// Exactly what will happen, SKU by SKU.
    private func bulkSheet(_ bulk: DialogState.Bulk, on canvas: Canvas) -> Sheet {
        var sheet = Sheet(title: "", width: 66)
        let number = count(bulk.subjects.count, "SKU")
        let left = bulk.subjects.reduce(Int64(0)) { $0 + max(0, $1.left ?? 0) }
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
        let room = max(3, min(12, canvas.height - 14))
        let shown = bulk.subjects.count > room ? room - 1 : bulk.subjects.count
        // In columns: what is left must be read at a glance before it is confirmed.
        let rows = bulk.subjects.prefix(shown).map { subject in
            (
                sku: SafeText.fitted(subject.sku, width: 12), name: SafeText.fitted(subject.name, width: 28),
                left: subject.left.map { Formats.grouped($0) + " left" } ?? "does not answer"
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
        let width = min(96, canvas.width - 8)
        let room = max(1, min(act.subjects.count, canvas.height - 9))
        let rect = canvas.bounds.centred(width: width + 6, height: room + 6)
        let tone: Role = act.failures > 0 ? .bad : act.isDone ? .good : .accent
        let panel = Panel(
            act.word, details: ["\(act.results.count) of \(count(act.subjects.count, "SKU"))"],
            hints: dialogHints(dialog, canvas.glyphs), isFocused: true, frame: tone)
        canvas.overlay(rect, panel) { canvas in
            let head =
                !act.isDone
                ? "one after another…"
                : act.failures == 0 ? "all done" : "\(act.results.count - act.failures) done, \(act.failures) not"
            canvas.put(2, 1, canvas.own(head), Style(.role(tone), attributes: .bold))
            let first = min(scroll, max(0, act.subjects.count - room))
            for line in 0..<room {
                let index = first + line
                guard act.subjects.indices.contains(index) else { return }
                let subject = act.subjects[index]
                let y = 3 + line
                let report = act.results.indices.contains(index) ? act.results[index] : nil
                let style: Style =
                    report.map { $0.succeeded ? Style(.good) : Style(.bad, attributes: .bold) } ?? Style(.dim)
                let glyph =
                    report.map { $0.succeeded ? canvas.glyphs.calm : canvas.glyphs.down } ?? canvas.glyphs.bullet
                canvas.put(2, y, glyph, style)
                canvas.label(
                    4, y, width: canvas.width - 6, report?.sentence ?? "\(subject.sku)  \(subject.name)",
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

    private func crashSheet(_ chosen: Int, _ glyphs: Glyphs) -> Sheet {
        var sheet = Sheet(title: "crash", tone: .bad)
        let node = snapshot.nodes.indices.contains(chosen) ? snapshot.nodes[chosen] : nil
        sheet.lines = snapshot.nodes.enumerated().map { index, node in
            let isChosen = index == chosen
            let style = Style(isChosen ? .title : .dim, attributes: isChosen ? .bold : [])
            return [
                Span(isChosen ? glyphs.cursor + " " : "  ", Style(.focusBorder, attributes: .bold)),
                Span("\(index + 1)", Style(.hot, attributes: .bold)),
                Span("  node \(index + 1)  \(node.address)  \(count(node.buckets, "bucket"))", style),
                Span(node.isUp ? "" : "  DOWN", Style(.bad, attributes: .bold)),
            ]
        }
        guard let node else { return sheet }
        sheet.text = [
            Span(
                "kill -9 node \(chosen + 1) (\(node.address)); "
                    + (permissions.hasReplicas
                        ? "its replica takes over"
                        : "it comes back \(snapshot.durability == .aof ? "with its append-only file" : "empty")"),
                Style(.bad, attributes: .bold))
        ]
        sheet.text.append(Span(crashCost, Style(.text)))
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
        let width = min(sheet.width, canvas.width - 8)
        var lines: [[Span]] = []
        for paragraph in sheet.text {
            lines += canvas.wrapped(paragraph.text, width: width, lines: 6).map { [Span($0, paragraph.style)] }
        }
        if !sheet.lines.isEmpty { lines += [[]] + sheet.lines }
        var sheet = sheet
        sheet.name = requiredName(dialog)
        let fieldRows =
            sheet.fields.isEmpty && sheet.name == nil ? 0 : sheet.fields.count + 1 + (sheet.name == nil ? 0 : 1)
        let height = lines.count + fieldRows + 4
        let rect = canvas.bounds.centred(width: width + 6, height: height)
        let panel = Panel(sheet.title, hints: dialogHints(dialog, canvas.glyphs), isFocused: true, frame: sheet.tone)
        canvas.overlay(rect, panel) { canvas in
            for (index, line) in lines.enumerated() { canvas.put(2, index + 1, line) }
            drawFields(sheet, y: lines.count + 2, width: width, on: &canvas)
        }
    }

    private func drawFields(_ sheet: Sheet, y: Int, width: Int, on canvas: inout Canvas) {
        let labels = max(sheet.fields.map { $0.label.count }.max() ?? 0, sheet.name == nil ? 0 : 4)
        for (index, field) in sheet.fields.enumerated() {
            let isFocused = index == sheet.focusedField && !isNameFocused
            let row = y + index
            canvas.put(2, row, field.label, Style(isFocused ? .title : .dim, attributes: isFocused ? .bold : []))
            let x = 2 + labels + 2
            canvas.field(x, row, width: 14, field.text, isFocused: isFocused)
            // An empty field that nobody typed into yet is not a mistake.
            let isProblem = field.problem != nil && !field.text.text.isEmpty
            let remark = field.problem ?? field.unit
            canvas.label(
                x + 16, row, width: width - labels - 18, remark,
                isProblem ? Style(.bad, attributes: .bold) : Style(.dim))
        }
        guard let name = sheet.name else { return }
        drawName(name, y: y + sheet.fields.count, width: width, on: &canvas)
    }

    /// The field for a name that must be typed at a place marked production.
    func drawName(_ name: String, y: Int, width: Int, on canvas: inout Canvas) {
        canvas.put(2, y, "type", Style(isNameFocused ? .title : .dim, attributes: isNameFocused ? .bold : []))
        canvas.field(8, y, width: 20, typedName, isFocused: isNameFocused)
        let isRight = typedName.text == name
        canvas.label(
            30, y, width: width - 28,
            isRight ? "Enter does it" : "\(permissions.isProduction ? "PROD" : "to override"): type \(name)",
            isRight ? Style(.good, attributes: .bold) : Style(.bad, attributes: .bold))
    }

    private func drawPlan(_ plan: PlanSummary, _ scroll: Int, _ dialog: DialogState, on canvas: inout Canvas) {
        let width = min(96, canvas.width - 8)
        var lines = canvas.wrapped(plan.sentence, width: width, lines: 3).map {
            [Span($0, Style(.title, attributes: .bold))]
        }
        let head = lines.count
        let room = max(1, canvas.height - 10 - head)
        let first = min(scroll, max(0, plan.lines.count - room))
        var body: [[Span]] = []
        for line in plan.lines.dropFirst(first).prefix(room) {
            for (index, part) in canvas.wrapped(line, width: width - 2, lines: room).enumerated()
            where body.count < room {
                body.append([
                    Span(index == 0 ? canvas.glyphs.bullet + " " : "  ", Style(.accent)), Span(part, Style(.text)),
                ])
            }
        }
        if !body.isEmpty { lines += [[]] + body }
        let hidden = plan.lines.count - first - body.count
        if first > 0 || hidden > 0 {
            lines.append([Span("line \(first + 1) of \(Formats.grouped(plan.lines.count))", Style(.dim))])
        }
        lines.append([])
        lines.append([
            Span(planQuestion(plan), Style(plan.repairs > 0 ? .warn : .dim, attributes: plan.repairs > 0 ? .bold : []))
        ])
        let name = requiredName(dialog)
        let rect = canvas.bounds.centred(width: width + 6, height: lines.count + 4 + (name == nil ? 0 : 2))
        let tone: Role = plan.repairs > 0 ? .warn : .good
        let panel = Panel(
            "comparison", details: plan.repairs > 0 ? [count(plan.repairs, "repair")] : [],
            hints: dialogHints(dialog, canvas.glyphs), isFocused: true, frame: tone)
        canvas.overlay(rect, panel) { canvas in
            for (index, line) in lines.enumerated() { canvas.put(2, index + 1, line) }
            if let name { drawName(name, y: lines.count + 2, width: width, on: &canvas) }
        }
    }

    private func planQuestion(_ plan: PlanSummary) -> String {
        if plan.repairs == 0 { return "nothing to repair" }
        if permissions.isReadOnly { return "READ-ONLY: the plan cannot be applied here" }
        if permissions.isProduction {
            return
                "applies \(count(plan.repairs, "repair")) once the sale's name is typed; Esc leaves everything as it is"
        }
        return "y applies \(plan.repairs == 1 ? "it" : "them"); any other key leaves everything as it is"
    }

    // MARK: Help

    /// The keys, from the table; then what the words mean and where this sale is found.
    func helpSections(_ glyphs: Glyphs) -> [HelpSection] {
        var sections = Keys.table(permissions).help(glyphs: glyphs).map { section in
            // Backticks are for the README.
            HelpSection(
                title: section.title,
                lines: section.lines.filter { !$0.help.isEmpty }.map {
                    .init(keys: $0.keys, help: $0.help.replacing("`", with: ""))
                })
        }
        sections.append(
            HelpSection(
                title: "States",
                lines: [
                    .init(keys: "HOT", help: "sells out within 30 s at this rate"),
                    .init(keys: "LOW", help: "\(lowShareWords) or less is left"),
                    .init(keys: "FROZEN", help: "stopped by a person"),
                    .init(keys: "FENCED", help: "its bucket takes no orders until it is rebuilt from SQL"),
                    .init(keys: "OVERSOLD", help: "units acknowledged beyond the allocation"),
                ]))
        sections.append(
            HelpSection(
                title: "Filter",
                lines: [
                    .init(keys: "camp", help: "part of a SKU, name, tag or state; !camp: not"),
                    .init(keys: "/^10.[02]/", help: "a regular expression: . [a-z] * + ? | ( ) ^ $ \\d \\w"),
                    .init(keys: "left<100", help: "columns: " + StockFilter.columns.joined(separator: ", ")),
                    .init(keys: "rate>1.5k", help: "< <= > >= = !=, numbers with k, m or %"),
                    .init(keys: "state=hot", help: "one of " + StockFilter.states.joined(separator: ", ")),
                ]))
        sections.append(
            HelpSection(
                title: "This sale",
                lines: [
                    .init(keys: shown.durability.rawValue, help: shown.durability.promise),
                    .init(keys: "Redis", help: shown.redisURL), .init(keys: "orders", help: shown.ordersURL),
                ].filter { !$0.help.isEmpty }))
        return sections
    }

    /// The share at which a SKU is low, as this sale is configured.
    private var lowShareWords: String {
        let share = shown.skus.first?.lowShare ?? WarRoomSnapshot.SKU.lowShareStandard
        return share == 0.1 ? "a tenth" : Formats.percent(share)
    }

    /// How far the help scrolls at this size.
    var helpScrollLimit: Int {
        var canvas = Canvas(columns: columns, rows: dialogArea.height, glyphs: capabilities.glyphs)
        return canvas.help(helpSections(capabilities.glyphs), title: "help")
    }
}
