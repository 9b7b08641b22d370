public import Inventory
public import Telemetry
public import TerminalUI

/// The panels of the war room; the raw value is the digit that focuses one.
public enum PanelID: Int, Sendable, CaseIterable, Hashable {
    case stock = 1
    case ledger, heat, drift, events
}

/// What the screen is: a value. ``update(_:)`` moves it, ``view(_:)`` draws it, neither does any I/O.
public struct Model: Sendable {
    // MARK: What it was given

    public let permissions: Permissions
    /// What the dialog that opens a demo's sale proposes.
    public var proposedBuyersPerSecond: Int
    public var proposedSeconds: Int
    public internal(set) var theme: Theme
    /// What the chooser offers, and which of them is kept now.
    public var themeNames: [String] = []
    public var themeName = ThemeLibrary.defaultName
    /// The theme that is kept while the chooser shows another.
    var themeBefore: Theme?
    public let capabilities: TerminalCapabilities
    /// Added to Unix time for the events' clock.
    public var utcOffsetSeconds: Int

    // MARK: What it sees

    /// The newest snapshot; acts that do not name a row go by this.
    public internal(set) var snapshot: WarRoomSnapshot
    /// The snapshot kept by `p`, while collection goes on.
    public internal(set) var held: WarRoomSnapshot?
    /// What is drawn.
    public var shown: WarRoomSnapshot { held ?? snapshot }
    /// Seconds, as the last tick told them.
    public internal(set) var now: Double = 0
    var heldAt: Double = 0

    // MARK: Where the hand is

    public internal(set) var columns: Int
    public internal(set) var rows: Int
    /// The panel of the overview that keys go to.
    public internal(set) var focus: PanelID = .stock
    /// Screens that were opened one from another; the last is drawn. The first is always the overview.
    public internal(set) var stack: [ScreenID] = [.overview]
    /// The screen that is drawn.
    public var screen: ScreenID { stack.last ?? .overview }
    /// The rows in order, and the cursor.
    var list = StockList()
    var isEditingFilter = false
    var filterField = TextField(limit: Model.filterLimit)
    /// What is wrong with the filter as it is typed; the last good one stays applied.
    var filterProblem: StockFilter.Problem?
    /// The filter to come back to, once a screen that set its own is closed.
    var filterBefore: String?
    /// Cursor and first row in sight, by screen other than the stock list.
    var positions: [ScreenID: ListPosition] = [:]
    /// Positions in the snapshot's `skus`, largest ledger first; kept while the ledger screen is open.
    var largestLedgers: [Int] = []
    /// The slot under the heat's cursor.
    var slot = 0
    /// How far back one SKU's time line goes.
    var span = TimeSpan.minute
    /// Which orders are listed.
    var orderKind: OrderKind?
    /// The order that was asked for by its id.
    var foundOrder: FoundOrder?
    var findField: TextField?
    var palette: Palette?
    var dialogs: [DialogState] = []
    /// The name that a dialog wants typed at a place marked production.
    var typedName = TextField(limit: 64)
    var isTypingName = false
    /// What the last act of this screen can be taken back by.
    var undo: Undo?
    /// The bulk act that is under way, or was the last.
    var bulk: BulkAct?
    var notice: Notice?
    var isComparing = false
    /// How far the closing of this sale has come, as far as this screen asked for it.
    var closing: ClosingReport?
    /// A plan that came while another dialog was open; shown when asked for, so that no key typed for another hits it.
    var waitingPlan: PlanSummary?
    /// The plan of the last comparison that this screen asked for, and when it came.
    var lastPlan: PlanSummary?
    var lastPlanAt = 0.0

    // MARK: What it asked for

    var sights: [Look: Sight] = [:]
    /// When each look was asked for, and whether its answer is awaited.
    var looks: [Look: LookState] = [:]

    static let filterLimit = 120
    /// Screens that can be open one over another.
    static let stackMax = 12

    /// A sentence in the footer, until it has been seen long enough.
    struct Notice: Sendable, Hashable {
        var text: String
        var severity: WarRoomSnapshot.Event.Severity
        var since: Double
        static let secondsShown = 6.0
    }

    /// The smallest terminal that the war room fits into.
    public static let columnsMin = 40
    public static let rowsMin = 10

    /// A screen before its first snapshot.
    /// - Parameters:
    ///   - snapshot: what is known already: names, addresses, the phase.
    ///   - proposedBuyersPerSecond: prefills the dialog of `F`, as `proposedSeconds` does; only in a demo.
    ///   - utcOffsetSeconds: added to Unix time for the events' clock.
    public init(
        snapshot: WarRoomSnapshot, columns: Int, rows: Int, permissions: Permissions, theme: Theme,
        capabilities: TerminalCapabilities, proposedBuyersPerSecond: Int = 5_000, proposedSeconds: Int = 60,
        utcOffsetSeconds: Int = 0
    ) {
        self.snapshot = snapshot
        self.columns = max(0, columns)
        self.rows = max(0, rows)
        self.permissions = permissions
        self.theme = theme
        self.capabilities = capabilities
        self.proposedBuyersPerSecond = min(max(1, proposedBuyersPerSecond), Limits.buyersMax)
        self.proposedSeconds = min(max(1, proposedSeconds), Limits.secondsMax)
        self.utcOffsetSeconds = utcOffsetSeconds
        list.arrange(snapshot, now: now)
    }

    /// The SKU under the cursor of the stock list; `nil` when no row is there.
    public var cursorSKU: SKUNumber? {
        list.cursorIndex.map { shown.skus[$0].number }
    }

    /// Whether a screen other than the overview is open.
    public var isZoomed: Bool { screen != .overview }
    /// Whether one SKU is shown.
    public var showsDetail: Bool { if case .sku = screen { true } else { false } }

    /// Seconds that the screen has been held; `nil` while it is not.
    public var heldSeconds: Double? { held == nil ? nil : now - heldAt }

    /// What the footer tells now.
    var currentNotice: Notice? {
        notice.flatMap { now - $0.since < Notice.secondsShown ? $0 : nil }
    }

    /// Cursor and scroll position of a screen.
    func position(_ screen: ScreenID) -> ListPosition { positions[screen.slot] ?? ListPosition() }

    mutating func tell(_ text: String, _ severity: WarRoomSnapshot.Event.Severity = .info) {
        notice = Notice(text: text, severity: severity, since: now)
    }
}

/// What may be typed into the dialogs.
enum Limits {
    static let buyersMax = 1_000_000
    static let secondsMax = 86_400
    static let restockMax = 1_000_000
}

extension ScreenID {
    /// Under which its cursor is kept: one for all SKUs.
    var slot: ScreenID { if case .sku = self { .sku(SKUNumber(rawValue: 0)) } else { self } }
}

/// How far back a time line goes.
enum TimeSpan: Int, Sendable, CaseIterable {
    case minute, fiveMinutes, quarter, hour

    var title: String {
        switch self {
        case .minute: "60 s"
        case .fiveMinutes: "5 min"
        case .quarter: "15 min"
        case .hour: "1 h"
        }
    }

    var seconds: Int {
        switch self {
        case .minute: 60
        case .fiveMinutes: 300
        case .quarter: 900
        case .hour: 3_600
        }
    }

    func stepped(_ step: Int) -> TimeSpan {
        TimeSpan(rawValue: min(max(0, rawValue + step), Self.allCases.count - 1)) ?? self
    }
}

/// An order that was asked for by its id.
struct FoundOrder: Sendable, Hashable {
    var id: String
}

/// What takes the last freeze, thaw or restock back.
struct Undo: Sendable, Hashable {
    /// What undoing does.
    enum Deed: Sendable, Hashable {
        case freeze(Bool)
        /// Units of each.
        case takeBack(Int64)
    }

    var subjects: [DialogState.Subject]
    var deed: Deed
}

/// One act on several SKUs, and what became of each.
struct BulkAct: Sendable, Hashable {
    var id: Int
    /// `freezing`, `restocking`
    var word: String
    var subjects: [DialogState.Subject]
    var results: [ActReport] = []

    var isDone: Bool { results.count >= subjects.count }
    var failures: Int { results.count { !$0.succeeded } }
}
