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
    public internal(set) var focus: PanelID = .stock
    public internal(set) var isZoomed = false
    /// The stock panel shows one SKU instead of the list.
    public internal(set) var showsDetail = false
    /// The rows in order, and the cursor.
    var list = StockList()
    var isEditingFilter = false
    var filterField = TextField(limit: 60)
    /// Lines scrolled, by panel other than stock.
    var scroll: [PanelID: Int] = [:]
    var dialogs: [DialogState] = []
    var notice: Notice?
    var isComparing = false
    /// A plan that came while another dialog was open; shown when asked for, so that no key typed for another hits it.
    var waitingPlan: PlanSummary?

    /// A sentence in the footer, until it has been seen long enough.
    struct Notice: Sendable, Hashable {
        var text: String
        var severity: WarRoomSnapshot.Event.Severity
        var since: Double
        static let secondsShown = 6.0
    }

    /// The smallest terminal that the war room fits into.
    public static let columnsMin = 60
    public static let rowsMin = 16

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

    /// The SKU under the cursor; `nil` when no row is there.
    public var cursorSKU: SKUNumber? {
        list.cursorIndex.map { shown.skus[$0].number }
    }

    /// Seconds that the screen has been held; `nil` while it is not.
    public var heldSeconds: Double? { held == nil ? nil : now - heldAt }

    /// What the footer tells now.
    var currentNotice: Notice? {
        notice.flatMap { now - $0.since < Notice.secondsShown ? $0 : nil }
    }

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
