import Inventory
import Telemetry
import TerminalUI

/// A dialog that is open, with everything it needs to act: what it was opened on does not change under it.
enum DialogState: Sendable, Hashable {
    case openSale(OpenSale)
    case freeze(Subject, freezes: Bool)
    case restock(Restock)
    /// Undoing a restock: units go off sale again.
    case takeBack(Subject, units: Int64)
    case crash(node: Int)
    case plan(PlanSummary, scroll: Int)
    /// Who would lose where more was promised than there is.
    case settling(SettlingPlan, scroll: Int)
    case quit
    case help(scroll: Int)
    /// The same act on all that was marked when the key went down.
    case bulk(Bulk)
    /// What became of each part of a bulk act.
    case results(scroll: Int)
    /// Opening at a moment to come.
    case schedule(OpeningTime, typed: String)
    /// Closing for good; `expires`: open reservations end now.
    case closeSale(expires: Bool)
    /// How far the closing has come, then the books.
    case closing(scroll: Int)
    /// Every alert that holds.
    case alerts(scroll: Int)
    case themes(ThemeChoice)

    /// A SKU as it was when the key went down.
    struct Subject: Sendable, Hashable {
        var number: SKUNumber
        var sku: String
        var name: String
        var left: Int64?
        var isFrozen: Bool

        init(_ sku: WarRoomSnapshot.SKU) {
            number = sku.number
            self.sku = sku.sku
            name = sku.name
            left = sku.stock
            isFrozen = sku.frozen
        }
    }

    struct OpenSale: Sendable, Hashable {
        /// `nil` where opening makes no buyers.
        var buyers: NumberField?
        var seconds: NumberField?
        var focus = 0
        /// The list that is gone through; `nil` where the sale is open already and only buyers are sent.
        var list: PreflightReport?
        /// `y` was pressed before the list said GO: it opens then.
        var isArmed = false
    }

    struct Restock: Sendable, Hashable {
        var subject: Subject
        var units: NumberField
    }

    struct Bulk: Sendable, Hashable {
        enum Deed: Sendable, Hashable {
            case freeze(Bool)
            case restock
            /// Units of each go off sale again.
            case takeBack(Int64)
        }

        var subjects: [Subject]
        var deed: Deed
        /// Only for a restock.
        var units: NumberField?
        /// Marked, and left alone because they are so already.
        var already = 0
    }

    /// Where keys are looked up, innermost first.
    func contexts(_ permissions: Permissions) -> [KeyContext] {
        // Where a name is typed no letter may mean anything else, the brake's neither.
        let isTyped = permissions.isProduction
        let question: [KeyContext] = isTyped ? [.typed] : [.question, .dialog]
        switch self {
        case .openSale(let dialog):
            switch dialog.list?.decision {
            case .noGo(mayBeOverridden: true)?: return [.typed]
            case .noGo(mayBeOverridden: false)?: return [.refusal, .dialog]
            case .go?, .deciding?, nil: return dialog.buyers == nil ? question : [.question, .form, .dialog]
            }
        case .schedule: return question
        case .closeSale: return isTyped ? [.typed, .policy] : [.question, .policy, .dialog]
        case .restock: return isTyped ? [.typed, .form] : question
        case .bulk(let bulk): return isTyped && bulk.units != nil ? [.typed, .form] : question
        case .takeBack, .freeze: return question
        case .quit: return [.question, .dialog]
        case .crash: return [.question, .nodes, .dialog]
        case .plan(let plan, _):
            return plan.repairs > 0 && !permissions.isReadOnly
                ? isTyped ? [.typed] : [.question, .reader, .dialog] : [.reader, .dialog]
        case .settling: return isTyped ? [.typed, .rule] : [.question, .rule, .reader, .dialog]
        case .help, .results, .closing, .alerts: return [.reader, .dialog]
        case .themes: return [.choice, .reader, .dialog]
        }
    }
}

/// A field for a whole number that says itself what is wrong with what was typed.
///
/// It takes a minus sign although no negative number is right: a field that drops the sign turns −5 into 5.
struct NumberField: Sendable, Hashable {
    var text: TextField
    let label: String
    let unit: String
    let range: ClosedRange<Int>

    init(_ label: String, _ value: Int?, in range: ClosedRange<Int>, unit: String) {
        self.label = label
        self.unit = unit
        self.range = range
        text = TextField(value.map(String.init) ?? "", kind: .number(-999_999_999_999...999_999_999_999), limit: 13)
    }

    /// The number, if it is one in range.
    var value: Int? { Int(text.text).flatMap { range.contains($0) ? $0 : nil } }

    /// What is wrong, in a few words.
    var problem: String? {
        if text.text.isEmpty {
            return "type a number, \(Formats.grouped(range.lowerBound)) to \(Formats.grouped(range.upperBound))"
        }
        guard let number = Int(text.text) else { return "not a whole number" }
        if number < 0 { return "cannot be negative" }
        if number < range.lowerBound {
            return number == 0 ? "cannot be zero" : "at least \(Formats.grouped(range.lowerBound))"
        }
        if number > range.upperBound { return "at most \(Formats.grouped(range.upperBound))" }
        return nil
    }
}
