import Inventory
import OrderStore
import Telemetry

/// Tells what others did to the sale, by the audit: an act from another process is no news to whoever carried it out, and all the more
/// to whoever looks on.
struct AuditTeller {
    /// Rows that are told one by one in one look; of more, only how many there are.
    static let toldMax = 8
    /// Letters of a name or a value: the audit holds what others wrote.
    private static let lettersMax = 80

    /// `host pid` of this process.
    private let own: String
    /// How far the audit was read; `nil`: not yet.
    private(set) var mark: AuditMark?

    init(own: String = Operator.current.origin) { self.own = own }

    /// What is new, in sentences.
    mutating func tell(_ news: AuditNews, to events: EventLog) {
        let isFirst = mark == nil
        mark = news.mark
        guard !isFirst else { return }
        let others = news.entries.filter { $0.origin != own && !Self.changesNothing($0) }
        let leftOut = news.leftOut + Int64(max(0, others.count - Self.toldMax))
        if leftOut > 0 { events.add(.info, "\(leftOut.counted("more act")) of others: the audit has them") }
        for entry in others.suffix(Self.toldMax) {
            let isRefused = entry.after.hasPrefix("refused: ") || entry.after.hasPrefix("failed: ")
            events.add(isRefused ? .warning : .info, Self.sentence(entry))
        }
    }

    /// A look that is noted is no act.
    private static func changesNothing(_ entry: AuditEntry) -> Bool {
        ["preflight", "compare", "books"].contains(entry.what)
    }

    /// `ada (db1, process 412) froze SKU 1001`
    static func sentence(_ entry: AuditEntry) -> String {
        let place = entry.origin.split(separator: " ")
        let origin =
            place.count == 2
            ? "\(short(String(place[0]))), process \(short(String(place[1])))" : short(entry.origin)
        let who = "\(short(entry.who)) (\(origin))"
        let (subject, before, after) = (short(entry.subject), short(entry.before), short(entry.after))
        if entry.after.hasPrefix("refused: ") { return "\(who): \(short(entry.what)) \(subject) was \(after)" }
        let change = before.isEmpty ? after : "\(before) → \(after)"
        switch entry.what {
        case "open", "halt", "close":
            let verb = ["open": "opened", "halt": "halted", "close": "closed"][entry.what] ?? entry.what
            // A reason stands behind the state.
            let reason = after.split(separator: ":", maxSplits: 1).dropFirst().first.map { ":\($0)" } ?? ""
            let isNews = !after.hasPrefix(before) || before.isEmpty
            return "\(who) \(verb) the sale\(reason)\(isNews ? "" : " (it was \(before) before)")"
        case "freeze": return "\(who) froze SKU \(subject)\(before == "frozen" ? " (it was frozen before)" : "")"
        case "thaw": return "\(who) thawed SKU \(subject)\(before == "selling" ? " (it was not frozen)" : "")"
        case "restock", "reverse restock":
            return "\(who) \(entry.what == "restock" ? "restocked" : "took back stock of") SKU \(subject): \(change)"
        default: return "\(who): \(short(entry.what)) \(subject): \(change)"
        }
    }

    private static func short(_ text: String) -> String {
        text.count > lettersMax ? text.prefix(lettersMax) + "…" : text
    }
}
