import TerminalUI

/// Where a key is pressed.
enum KeyContext: Hashable, Sendable {
    /// Anywhere on the screen while no dialog is open and nothing is typed.
    case screen
    case stock, ledger, heat, drift, events
    /// The stock panel while it shows one SKU.
    case detail
    /// The filter is being typed.
    case filter
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
    enum Motion: Hashable, Sendable { case up, down, pageUp, pageDown, first, last }

    case openSale, halt, freeze, restock, crash, compare
    case move(Motion)
    case focus(PanelID)
    case nextPanel, previousPanel
    case open, back
    case filter, sort, reverseSort, hold, help, themes
    case confirm, nextField, previousField
    case node(Int)
    case keepFilter
    case quit, quitNow, suspend, redraw

    /// Whether it changes the place that the screen shows.
    var isAct: Bool {
        switch self {
        case .openSale, .halt, .freeze, .restock, .crash: true
        default: false
        }
    }
}

/// The one key table: dispatch, footers, borders and help derive from it.
enum Keys {
    static let all = KeyTable<KeyContext, Intent>(sale + stock + moving + screen + dialogs + typing)

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
            [.char("F")], in: [.screen], label: "Flash sale", help: "opens the sale; asks first",
            group: "The sale", .openSale),
        Binding(
            [.char("X")], in: [.screen, .dialog], label: "halt",
            help: "halts the sale everywhere, at once and without asking; F opens it again", group: "The sale", .halt),
        Binding(
            [.char("C")], in: [.screen, .heat], label: "Crash",
            help: "kills a node of this demo's own fleet with kill -9; asks which, and again", group: "The sale", .crash
        ),
        Binding(
            [.char("R")], in: [.screen, .drift], label: "compare",
            help: "compares Redis with SQL (reads only), then shows what would mend a difference", group: "The sale",
            .compare),
    ]

    private static let stock: [Binding] = [
        Binding(
            [.char("/")], in: [.screen, .stock], label: "filter",
            help: "shows only what matches: text, !text, left<100, sold>=5k, rate>1k", group: "Stock", .filter),
        Binding(
            [.char("s")], in: [.screen, .stock], label: "sort", help: "sorts by the next column", group: "Stock", .sort),
        Binding(
            [.char("S")], in: [.screen], help: "reverses the order; a click on a column's head does both",
            group: "Stock",
            .reverseSort),
        Binding(
            [.char("z")], in: [.stock, .detail, .screen], label: "freeze",
            help: "freezes or thaws the SKU under the cursor; asks first", group: "Stock", .freeze),
        Binding(
            [.char("+")], in: [.stock, .detail, .screen], label: "restock",
            help: "puts more units of the SKU under the cursor on sale; asks how many", group: "Stock", .restock),
        Binding(
            [.enter], in: [.screen, .stock], label: "detail", help: "shows one SKU; on another panel: zooms it",
            group: "Stock", .open),
    ]

    private static let moving: [Binding] =
        [
            Binding([.char("k"), .up], in: [.screen, .nodes, .reader], help: "up", group: "Moving", .move(.up)),
            Binding([.char("j"), .down], in: [.screen, .nodes, .reader], help: "down", group: "Moving", .move(.down)),
            Binding(
                [.pageUp, .control("b")], in: [.screen, .reader], help: "a page up", group: "Moving", .move(.pageUp)),
            Binding(
                [.pageDown, .control("f")], in: [.screen, .reader], help: "a page down", group: "Moving",
                .move(.pageDown)),
            Binding(
                [.char("g"), .home], in: [.screen, .reader],
                help: "the first row; there the cursor follows the top, not a SKU",
                group: "Moving", .move(.first)),
            Binding([.char("G"), .end], in: [.screen, .reader], help: "the last row", group: "Moving", .move(.last)),
            Binding([.char("l"), .right, .tab], in: [.screen], help: "the next panel", group: "Moving", .nextPanel),
            Binding(
                [.char("h"), .left, .backTab], in: [.screen], help: "the panel before", group: "Moving", .previousPanel),
        ]
        + PanelID.allCases.map { panel in
            Binding(
                [.char(Character("\(panel.rawValue)"))], in: [.screen],
                help: "the \(panel.title) panel; again zooms it", group: "Panels", .focus(panel))
        }

    private static let screen: [Binding] = [
        Binding(
            [.char("p")], in: [.screen], label: "hold", help: "holds what is shown, while collection goes on",
            group: "Screen", .hold),
        Binding(
            [.escape], in: [.screen, .dialog, .filter, .detail], label: "close",
            help: "closes the topmost of dialog, filter, detail, zoom; then frees the cursor", group: "Screen", .back),
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
        Binding([.enter], in: [.filter], label: "keep", help: "keeps the filter", group: "In the filter", .keepFilter)
    ]
}

extension PanelID {
    /// Its name in its border.
    var title: String {
        switch self {
        case .stock: "stock"
        case .ledger: "ledger"
        case .heat: "heat"
        case .drift: "drift"
        case .events: "events"
        }
    }
}
