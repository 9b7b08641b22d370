import TerminalUI

/// Where a key is pressed.
enum KeyContext: Hashable, Sendable {
    /// Anywhere while no dialog is open and nothing is typed.
    case screen
    case overview
    /// A panel of the overview in focus; the stock list and the events also as a screen.
    case stock, ledger, heat, drift, events
    /// Screens that fill the terminal.
    case sku, ledgers, slots, findings, servers, orders, audit
    /// The filter is being typed.
    case filter
    /// The palette is open.
    case palette
    /// An order's id is being typed.
    case find
    /// Any dialog.
    case dialog
    /// A dialog that has an effect to confirm.
    case question
    /// A dialog with fields.
    case form
    /// The dialog that chooses a node.
    case nodes
    /// A dialog whose lines scroll: the plan, the help.
    case reader
    /// The list before an opening says NO-GO, and nobody may override it.
    case refusal
    /// The dialog that closes a sale: what becomes of its reservations.
    case policy
    /// The dialog that settles what is oversold: who loses.
    case rule
    /// A dialog that wants a name typed, because the place is marked production.
    case typed
    /// A dialog that chooses one of a list, none of which changes the sale: Enter takes it.
    case choice
}

extension PanelID {
    var context: KeyContext {
        switch self {
        case .stock: .stock
        case .ledger: .ledger
        case .heat: .heat
        case .drift: .drift
        case .events: .events
        }
    }
}

/// What a key means.
enum Intent: Hashable, Sendable {
    enum Motion: Hashable, Sendable { case up, down, pageUp, pageDown, first, last, left, right }

    case openSale, halt, freeze, restock, crash, compare, applyPlan, settle, undo, closeSale, cancelOpening
    /// Goes through the list before an opening once more.
    case checkAgain
    /// What becomes of reservations at closing.
    case policy
    /// By which rule somebody loses where more was promised than there is.
    case rule
    case alerts
    case move(Motion)
    /// A panel of the overview, a screen elsewhere.
    case digit(Int)
    case nextPanel, previousPanel
    case open, back
    case filter, sort, reverseSort, hold, help, palette, themes
    case mark, markAll
    /// A longer or shorter time line.
    case span(Int)
    /// The next slot that holds something, or the one before.
    case slot(Int)
    case orderKind, findOrder
    case confirm, nextField, previousField
    case node(Int)
    case keepFilter, complete
    case choose(Int)
    case run
    case quit, quitNow, suspend, redraw

    /// Whether it changes the place that the screen shows.
    var isAct: Bool {
        switch self {
        case .openSale, .halt, .freeze, .restock, .crash, .applyPlan, .settle, .undo, .closeSale, .cancelOpening: true
        default: false
        }
    }
}

/// The one key table: dispatch, footers, borders, help and the README's list derive from it.
enum Keys {
    static let all = KeyTable<KeyContext, Intent>(sale + stock + moving + screens + screen + dialogs + typing)

    /// The table for what a screen may do: what it may not is not bound at all.
    static func table(_ permissions: Permissions) -> KeyTable<KeyContext, Intent> {
        all.without { !permits($0, permissions) }
    }

    static func permits(_ intent: Intent, _ permissions: Permissions) -> Bool {
        if permissions.isReadOnly && intent.isAct { return false }
        return intent != .crash || permissions.canCrash
    }

    private typealias Binding = KeyBinding<KeyContext, Intent>

    private static let sale: [Binding] = [
        Binding(
            [.char("F")], in: [.screen], label: "Flash sale",
            help:
                "opens the sale: goes through a list on screen, then asks. In a demo the dialog sets buyers a second and seconds; in watch it makes no buyers. `:open at 12:00` does it by itself",
            group: "The sale", .openSale),
        Binding(
            [.char("E")], in: [.screen],
            help: "ends the sale: closes it for good, drains, compares, prints the books; asks first",
            group: "The sale", .closeSale),
        Binding(
            [.char("A")], in: [.screen], help: "every alert that holds, and since when", group: "The sale", .alerts),
        Binding(
            [.char("X")], in: [.screen, .dialog], label: "halt",
            help: "halts the sale everywhere, at once and without asking, also while SQL is locked; F opens it again",
            group: "The sale", .halt),
        Binding(
            [.char("C")], in: [.screen, .heat, .servers], label: "Crash",
            help: "kills a node of this demo's own fleet with kill -9; asks which, and again", group: "The sale", .crash
        ),
        Binding(
            [.char("R")], in: [.screen, .drift, .findings], label: "compare",
            help: "compares Redis with SQL (reads only: a dry run), then shows the plan that would mend a difference",
            group: "The sale", .compare),
        Binding(
            [.char("a")], in: [.findings], label: "apply plan",
            help: "shows the last plan again, to be applied by y", group: "The sale", .applyPlan),
        Binding(
            [.char("O")], in: [.findings], label: "settle oversold",
            help:
                "drift: lists who would lose where more was promised than there is; y there rolls them back, with refunds",
            group: "The sale", .settle),
        Binding(
            [.char("u")], in: [.screen], help: "undoes the last freeze, thaw or restock; asks first",
            group: "The sale", .undo),
    ]

    private static let stock: [Binding] = [
        Binding(
            [.char("/")], in: [.screen, .stock], label: "filter",
            help:
                "shows only what matches: text, /regex/, !text, left<100, rate>1k, state=hot, tag=a7; all of them hold",
            group: "Stock", .filter),
        Binding(
            [.char("s")], in: [.screen, .stock], label: "sort", help: "sorts by the next column", group: "Stock", .sort),
        Binding(
            [.char("S")], in: [.screen], help: "reverses the order; a click on a column's head does both",
            group: "Stock",
            .reverseSort),
        Binding(
            [.char(" ")], in: [.stock], label: "mark",
            help: "marks the SKU under the cursor: z and + then act on all that are marked", group: "Stock", .mark),
        Binding(
            [.char("*")], in: [.stock], help: "marks every row in the filter, or takes the marks away", group: "Stock",
            .markAll),
        Binding(
            [.char("z")], in: [.stock, .sku, .screen], label: "freeze",
            help: "freezes or thaws what was under the cursor when the key went down; asks first", group: "Stock",
            .freeze),
        Binding(
            [.char("+")], in: [.stock, .sku, .screen], label: "restock",
            help: "puts more units of the SKU under the cursor on sale; asks how many", group: "Stock", .restock),
        Binding(
            [.enter], in: [.screen, .stock], label: "detail", help: "looks closer at what is under the cursor",
            group: "Stock", .open),
    ]

    private static let moving: [Binding] = [
        Binding([.char("k"), .up], in: [.screen, .nodes, .reader], help: "up", group: "Moving", .move(.up)),
        Binding([.char("j"), .down], in: [.screen, .nodes, .reader], help: "down", group: "Moving", .move(.down)),
        Binding(
            [.pageUp, .control("b")], in: [.screen, .reader, .typed], help: "a page up", group: "Moving", .move(.pageUp)
        ),
        Binding(
            [.pageDown, .control("f")], in: [.screen, .reader, .typed], help: "a page down", group: "Moving",
            .move(.pageDown)),
        Binding(
            [.char("g"), .home], in: [.screen, .reader],
            help: "the first row; in the stock the cursor then follows the top, not a SKU",
            group: "Moving", .move(.first)),
        Binding([.char("G"), .end], in: [.screen, .reader], help: "the last row", group: "Moving", .move(.last)),
        Binding(
            [.char("l"), .right, .tab], in: [.overview], help: "the next panel", group: "Moving", .nextPanel),
        Binding(
            [.char("h"), .left, .backTab], in: [.overview], help: "the panel before", group: "Moving", .previousPanel),
        Binding(
            [.char("l"), .right], in: [.sku], label: "longer", help: "one SKU: a longer time line, up to 1 h",
            group: "Moving", .span(1)),
        Binding([.char("h"), .left], in: [.sku], help: "one SKU: a shorter time line", group: "Moving", .span(-1)),
        Binding(
            [.char("l"), .right], in: [.slots], help: "heat: a cell to the right", group: "Moving", .move(.right)),
        Binding([.char("h"), .left], in: [.slots], help: "heat: a cell to the left", group: "Moving", .move(.left)),
        Binding(
            [.char("n"), .tab], in: [.slots], label: "next tag", help: "heat: the next slot that holds SKUs",
            group: "Moving", .slot(1)),
        Binding(
            [.char("N"), .backTab], in: [.slots], help: "heat: the slot before that holds SKUs", group: "Moving",
            .slot(-1)),
        Binding(
            [.enter], in: [.slots, .servers], label: "its SKUs", help: "heat, nodes: the SKUs that lie there",
            group: "Moving", .open),
        Binding(
            [.enter], in: [.ledgers, .findings, .orders], label: "SKU",
            help: "ledger, drift, orders: the SKU concerned",
            group: "Moving", .open),
        Binding(
            [.enter], in: [.ledger, .heat, .drift], label: "zoom", help: "a panel of the overview: makes it large",
            group: "Moving", .open),
        Binding(
            [.char("s")], in: [.orders], label: "state", help: "orders: those of the next state", group: "Moving",
            .orderKind),
        Binding(
            [.char("/")], in: [.orders], label: "find", help: "orders: finds one by its id", group: "Moving",
            .findOrder),
    ]

    private static let screens: [Binding] = ScreenID.numbered.enumerated().map { index, screen in
        Binding(
            [.char(Character("\(index + 1)"))], in: [.screen],
            help: "\(screen.title): \(screen.purpose)"
                + (index == 0 ? "; of 1 to 5 the overview has panels: the digit first goes to the panel" : ""),
            group: "Screens", .digit(index + 1))
    }

    private static let screen: [Binding] = [
        Binding(
            [.char(":")], in: [.screen], label: "command", help: "finds acts, screens, SKUs and themes by their names",
            group: "Screen", .palette),
        Binding(
            [.char("p")], in: [.screen], label: "hold", help: "holds what is shown, while collection goes on",
            group: "Screen", .hold),
        Binding(
            [.escape],
            in: [
                .screen, .dialog, .filter, .palette, .find, .sku, .ledgers, .slots, .findings, .servers, .orders,
                .audit, .typed,
            ], label: "close",
            help: "closes the topmost of dialog, screen, filter, marks; then frees the cursor", group: "Screen", .back),
        Binding(
            [.char("T")], in: [.screen], help: "chooses a theme, trying each on; Esc brings back the one before",
            group: "Screen", .themes),
        Binding([.char("?")], in: [.screen], label: "help", help: "these keys", group: "Screen", .help),
        Binding(
            [.char("q")], in: [.screen], label: "quit", help: "quits; asks while the sale is open", group: "Screen",
            .quit),
        Binding([.control("c")], help: "quits without asking", group: "Screen", .quitNow),
        Binding([.control("z")], help: "suspends; fg brings the screen back", group: "Screen", .suspend),
        Binding([.control("l")], help: "draws everything anew", group: "Screen", .redraw),
    ]

    private static let dialogs: [Binding] =
        [
            Binding(
                [.char("y")], in: [.question], label: "yes", help: "does what the dialog says; nothing else confirms",
                group: "In dialogs", .confirm),
            Binding(
                [.char("r")], in: [.refusal], label: "check again",
                help: "a NO-GO before an opening: goes through the list once more", group: "In dialogs", .checkAgain),
            Binding(
                [.tab], in: [.policy], label: "reservations",
                help: "closing: lets open reservations wait for their deadlines, or ends them now",
                group: "In dialogs", .policy),
            Binding(
                [.tab], in: [.rule], label: "who loses", help: "settling: another rule by which somebody loses",
                group: "In dialogs", .rule),
            Binding(
                [.enter], in: [.typed], label: "does it once typed",
                help: "at a place marked production: does what the dialog says, once the name it asks for is typed",
                group: "In dialogs", .confirm),
            Binding(
                [.enter], in: [.choice], label: "keep", help: "keeps the theme under the cursor",
                group: "In dialogs", .confirm),
            Binding(
                [.tab, .enter, .down], in: [.form], label: "next field", help: "the next field", group: "In dialogs",
                .nextField),
            Binding([.backTab, .up], in: [.form], help: "the field before", group: "In dialogs", .previousField),
        ]
        + (1...9).map { number in
            Binding(
                [.char(Character("\(number)"))], in: [.nodes], help: number == 1 ? "to 9: chooses the node" : "",
                group: "In dialogs", .node(number - 1))
        }

    private static let typing: [Binding] = [
        Binding(
            [.enter], in: [.filter, .find], label: "keep", help: "keeps the filter; looks the order up",
            group: "While typing", .keepFilter),
        Binding(
            [.enter], in: [.palette], label: "run", help: "the palette: does what is chosen; an act still asks",
            group: "While typing", .run),
        Binding(
            [.tab], in: [.palette, .filter], label: "complete", help: "completes the word", group: "While typing",
            .complete),
        Binding(
            [.up, .control("p")], in: [.palette], help: "the palette: the line above", group: "While typing",
            .choose(-1)),
        Binding(
            [.down, .control("n")], in: [.palette], help: "the palette: the line below", group: "While typing",
            .choose(1)),
    ]
}

extension PanelID {
    /// Its name in its border.
    var title: String { screen.title }
}

/// The key table for people who read before they press: a Markdown table, all that a demo binds.
public enum KeyList {
    /// Groups that get a row for each key; the others are one row each.
    private static let told = ["The sale", "Stock"]

    /// A row for each key by which people act, and one for each group of the others.
    public static var markdown: String {
        var lines = ["| key | does |", "|---|---|"]
        func keys(_ line: HelpSection.Line) -> String {
            line.keys.split(separator: " ").map { "`\($0 == "|" ? "\\|" : $0)`" }.joined(separator: " ")
        }
        for section in Keys.all.help() {
            let bindings = section.lines.filter { !$0.help.isEmpty }
            if told.contains(section.title) {
                for line in bindings { lines.append("| \(keys(line)) | \(line.help.replacing("|", with: "\\|")) |") }
            } else {
                let all = bindings.map { "\(keys($0)) \($0.help.replacing("|", with: "\\|"))" }.joined(separator: " · ")
                lines.append("| \(section.title) | \(all) |")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The same as plain text.
    public static var text: String {
        var lines: [String] = []
        for section in Keys.all.help() {
            if !lines.isEmpty { lines.append("") }
            lines.append(section.title)
            for line in section.lines where !line.help.isEmpty {
                lines.append(
                    "  " + line.keys + String(repeating: " ", count: max(1, 14 - SafeText.width(line.keys))) + line.help
                )
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
