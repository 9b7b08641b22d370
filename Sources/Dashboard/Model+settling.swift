import Telemetry
import TerminalUI

/// Who loses first where more was promised than there is.
public enum SettlingPolicy: String, Sendable, Hashable, CaseIterable {
    case newestFirst, oldestFirst, smallestFirst

    /// As people say it.
    var words: String {
        switch self {
        case .newestFirst: "the newest first"
        case .oldestFirst: "the oldest first"
        case .smallestFirst: "the smallest first"
        }
    }

    var next: SettlingPolicy {
        let all = Self.allCases
        return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
    }
}

/// Who loses and who is taken in, by a policy: shown whole before anything is done, then carried out as it was shown.
public struct SettlingPlan: Sendable, Hashable {
    /// What `Effect.applySettling` names.
    public var id: Int
    public var policy: SettlingPolicy
    /// One sentence an order, as many as are worth reading.
    public var lines: [String]
    /// Orders that lose, and that are taken in; listed or not.
    public var losers: Int
    public var takenIn: Int

    public init(id: Int, policy: SettlingPolicy, lines: [String], losers: Int, takenIn: Int) {
        self.id = id
        self.policy = policy
        self.lines = lines
        self.losers = losers
        self.takenIn = takenIn
    }

    var isEmpty: Bool { losers == 0 && takenIn == 0 }
}

extension Model {
    /// Asks who would lose. The dialog opens with the answer, so that what is confirmed is what was read.
    mutating func askToSettle() -> [Effect] {
        if snapshot.foreign != nil {
            tell("no SQL: there are no orders to settle", .warning)
            return []
        }
        tell("looking who would lose; this reads only…")
        return [.planSettling(.newestFirst)]
    }

    /// The answer came. It replaces the list that it was asked from, and never opens over another dialog.
    mutating func take(_ plan: SettlingPlan) {
        if case .settling = dialogs.last {
            if plan.isEmpty { dialogs.removeLast() } else { dialogs[dialogs.count - 1] = .settling(plan, scroll: 0) }
        } else if !dialogs.isEmpty || isTyping {
            if !plan.isEmpty { tell("who would lose is known now: O on the drift screen shows it", .warning) }
            return
        } else if !plan.isEmpty {
            dialogs = [.settling(plan, scroll: 0)]
        }
        if plan.isEmpty {
            tell("nobody would lose: no order is beyond capacity", .good)
        } else {
            notice = nil
        }
    }

    /// Another rule by which somebody loses.
    mutating func changeSettlingPolicy() -> [Effect] {
        guard case .settling(let plan, _) = dialogs.last else { return [] }
        return [.planSettling(plan.policy.next)]
    }

    // MARK: The eye

    func drawSettling(_ plan: SettlingPlan, _ scroll: Int, _ dialog: DialogState, on canvas: inout Canvas) {
        let width = canvas.dialogWidth(100)
        let name = requiredName(dialog)
        var lines: [[Span]] = []
        func say(_ text: String, _ style: Style) {
            lines += canvas.wrapped(text, width: width, lines: 4).map { [Span($0, style)] }
        }
        say(
            "\(count(plan.losers, "order")) would be rolled back, each with a refund record; "
                + "\(plan.takenIn) beyond capacity would be taken in.", Style(.bad, attributes: .bold))
        say(
            isSmall
                ? "Who loses: \(plan.policy.words). No undo."
                : "Who loses: \(plan.policy.words); what is sold never, paid before unpaid. It cannot be undone.",
            Style(.text))
        let air = isSmall ? 0 : 1
        let room = canvas.dialogRows - lines.count - air - nameRows(name, canvas) - (name == nil ? 0 : air)
        var listed = plan.lines
        if plan.losers + plan.takenIn > listed.count {
            listed.append("and \(count(plan.losers + plan.takenIn - listed.count, "order")) more")
        }
        if room > 0 {
            lines += Array(repeating: [], count: air)
            lines += pagedLines(listed, scroll, width: width, room: room, canvas)
        }
        let panel = Panel(
            "settle oversold", details: [plan.policy.words], hints: dialogHints(dialog, canvas.glyphs),
            isFocused: true, frame: .bad)
        let y = lines.count + (name == nil ? 0 : air)
        canvas.sheet(panel, width: width, lines: y + nameRows(name, canvas)) { canvas in
            for (index, line) in lines.enumerated() { canvas.put(0, index, line) }
            if let name { drawName(name, y: y, width: width, on: &canvas) }
        }
    }
}
