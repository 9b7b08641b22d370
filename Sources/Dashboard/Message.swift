public import Inventory
public import Telemetry
public import TerminalUI

/// What a screen may do to the place it shows.
public struct Permissions: Sendable, Hashable {
    /// Opening also sends buyers: a demo.
    public var canOpenWithBuyers: Bool
    /// The fleet is our own, so a node of it may be killed.
    public var canCrash: Bool
    /// A replica takes over from a node that is killed.
    public var hasReplicas: Bool
    /// Nothing that changes anything is bound.
    public var isReadOnly: Bool
    /// Marked production: a red frame, and dangerous acts want a name typed.
    public var isProduction: Bool

    public init(
        canOpenWithBuyers: Bool = false, canCrash: Bool = false, hasReplicas: Bool = false, isReadOnly: Bool = false,
        isProduction: Bool = false
    ) {
        self.isProduction = isProduction
        self.canOpenWithBuyers = canOpenWithBuyers
        self.canCrash = canCrash
        self.hasReplicas = hasReplicas
        self.isReadOnly = isReadOnly
    }
}

/// What became of an act, in one sentence for people.
public struct ActReport: Sendable, Hashable {
    /// `froze 1003; nobody can buy it`
    public var sentence: String
    public var succeeded: Bool
    /// What was done, where only who did it knows whether there is something to undo: units put on sale, or taken off it.
    public var done: BulkPart?

    public init(sentence: String, succeeded: Bool, done: BulkPart? = nil) {
        self.sentence = sentence
        self.succeeded = succeeded
        self.done = done
    }
}

/// The result of a comparison, and what would mend it.
public struct PlanSummary: Sendable, Hashable {
    /// What `Effect.applyPlan` names.
    public var id: Int
    /// Findings and literal repairs, a line each.
    public var lines: [String]
    /// How many repairs the plan holds; 0: nothing to apply.
    public var repairs: Int
    /// The result in one sentence.
    public var sentence: String

    public init(id: Int, lines: [String], repairs: Int, sentence: String) {
        self.id = id
        self.lines = lines
        self.repairs = repairs
        self.sentence = sentence
    }
}

/// Everything that can move the screen.
public enum Message: Sendable {
    /// The newest snapshot; the last one wins.
    case snapshot(WarRoomSnapshot)
    case key(KeyPress)
    case mouse(MouseEvent)
    /// Pasted text: goes into the field being typed, and is never taken for keys.
    case paste(String)
    case resized(columns: Int, rows: Int)
    /// Seconds of a clock that never steps back; from any origin.
    case tick(seconds: Double)
    case actDone(ActReport)
    /// What became of one part of `Effect.bulk`, in the parts' order.
    case bulkStep(id: Int, ActReport)
    /// The answer to `Effect.look`.
    case seen(Look, Sight)
    case planReady(PlanSummary)
    /// The answer to `Effect.planSettling`.
    case settlingReady(SettlingPlan)
    /// How far the list before an opening has come.
    case preflight(PreflightReport)
    /// How far the closing of the sale has come.
    case closing(ClosingReport)
    /// The theme's file changed and was read.
    case themeChanged(Theme)
    /// What `Effect.previewTheme` found under this name.
    case themePreview(String, ThemePreview)
    /// What `Effect.chooseTheme` found: from now on the screen's theme.
    case themeChosen(String, Theme)
    /// Something to tell in the footer, such as a theme file that could not be read.
    case notice(String, WarRoomSnapshot.Event.Severity)
}

/// A theme that was asked for, or what is wrong with it in one line.
public enum ThemePreview: Sendable {
    case theme(Theme)
    case problem(String)
}

/// What the screen wants done. The executable interprets it; each act comes back as `Message.actDone`.
public enum Effect: Sendable, Hashable {
    /// `nil`, `nil`: let orders in, make no buyers.
    case openSale(buyersPerSecond: Double?, seconds: Double?)
    case haltSale
    /// Go through the list before an opening; answered by `Message.preflight`, item by item.
    case preflight
    /// Open over a NO-GO that may be overridden: `name` was typed for it.
    case overrideAndOpen(name: String, buyersPerSecond: Double?, seconds: Double?)
    /// Open by itself at a moment, if the list then says GO.
    case scheduleOpening(OpeningTime, buyersPerSecond: Double?, seconds: Double?)
    case cancelOpening
    /// Close for good, see it through, print the books; answered by `Message.closing`. `expires`: open reservations end now.
    case closeSale(expires: Bool)
    case setFrozen(SKUNumber, Bool)
    /// Units 1 … 1,000,000; below 0: taken off sale again, if so many are unsold.
    case restock(SKUNumber, units: Int64)
    /// Position in the snapshot's `nodes`.
    case crash(node: Int)
    case compare
    case applyPlan(id: Int)
    /// Find out who would lose where more was promised than there is; reads only. Answered by `Message.settlingReady`.
    case planSettling(SettlingPolicy)
    /// Carry out the plan of that answer.
    case applySettling(id: Int)
    /// The same act on several SKUs, one after another; each comes back as `Message.bulkStep`.
    case bulk(id: Int, [BulkPart])
    /// Look something up, bounded, without writing; answered by `Message.seen`.
    case look(Look)
    /// Read a theme, to show it while the chooser stands on it; answered by `Message.themePreview`.
    case previewTheme(String)
    /// Read a theme and keep it; answered by `Message.themeChosen`, or by a notice where it cannot be read.
    case chooseTheme(String)
    case quit
    case suspend
    /// Draw every cell anew.
    case redraw
    case bell
}

/// What a bulk act does to one SKU.
public enum BulkPart: Sendable, Hashable {
    case setFrozen(SKUNumber, Bool)
    case restock(SKUNumber, units: Int64)
}
