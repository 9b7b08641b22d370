import Inventory
import Telemetry
import TerminalUI

/// The dialogs that open a sale: now, by a list, or at a moment.
extension Model {
    func openSheet(_ dialog: DialogState.OpenSale, _ canvas: Canvas) -> Sheet {
        let saleName = SafeText.fitted(snapshot.saleName, width: 40)
        let skus = count(snapshot.skus.count, "SKU")
        var sheet = Sheet(title: dialog.buyers == nil ? "open the sale" : "flash sale", tone: .good)
        sheet.text = [Span("Opens \(saleName): \(skus) on sale, at \(snapshot.durability.rawValue).", Style(.text))]
        if let buyers = dialog.buyers, let seconds = dialog.seconds {
            sheet.fields = [buyers, seconds]
            sheet.focusedField = dialog.focus
            sheet.text.append(Span("Sends buyers at the rate below, for so long.", Style(.dim)))
        } else {
            sheet.text.append(Span("It lets orders in; it makes no buyers.", Style(.dim)))
        }
        guard let list = dialog.list else { return sheet }
        sheet.width = 78
        switch list.decision {
        case .deciding: sheet.tone = .accent
        case .go: sheet.tone = .good
        case .noGo: sheet.tone = .bad
        }
        if isSmall, case .noGo = list.decision {
            // What is against it needs the room, and nothing can be set while it is.
            sheet.fields = []
            sheet.text = []
        }
        let name = requiredName(.openSale(dialog))
        let width = canvas.dialogWidth(sheet.width)
        let room: Int
        if isSmall {
            let first = sheet.text.first.map { canvas.wrapped($0.text, width: width, lines: 6).count } ?? 0
            room = canvas.dialogRows - first - sheet.fields.count - nameRows(name, canvas)
        } else {
            room = canvas.height - 10 - sheet.fields.count - (name == nil ? 0 : 1)
        }
        sheet.lines = lines(list, isArmed: dialog.isArmed, width: width, canvas, room: max(2, room))
        return sheet
    }

    /// The list, an item a line, then what follows. Where rows are few, what is well is only counted.
    private func lines(
        _ list: PreflightReport, isArmed: Bool, width: Int, _ canvas: Canvas, room: Int
    ) -> [[Span]] {
        let glyphs = canvas.glyphs
        let items = PreflightReport.Item.allCases
        var all = items.flatMap { self.lines($0, list, width: width, canvas) }
        if all.count > room - 1 {
            // What is wrong, whole, and what is being looked at; the rest is counted.
            let telling = items.filter { if case .bad = list.verdict($0) { true } else { $0 == list.current } }
            let others = items.filter { !telling.contains($0) }
            all = telling.flatMap { self.lines($0, list, width: width, canvas) }
            let free = room - 2 - all.count
            if free >= others.count {
                all += others.flatMap { self.lines($0, list, width: width, canvas) }
            } else {
                all = Array(all.prefix(max(1, room - 2)))
                let fine = items.count { if case .ok = list.verdict($0) { true } else { false } }
                all += others.prefix(max(0, free)).flatMap { self.lines($0, list, width: width, canvas) }
                all.append([Span("\(fine) of \(items.count) checks are well", Style(.dim))])
            }
        }
        var lines = all
        if lines.count + 1 < room { lines.append([]) }
        switch list.decision {
        case .deciding:
            lines.append([
                Span(
                    isArmed
                        ? isSmall
                            ? "opens on GO; Esc takes that back"
                            : "opens as soon as all of it is well; Esc takes that back"
                        : "checking; y opens on GO",
                    Style(.text, attributes: isArmed ? .bold : []))
            ])
        case .go:
            lines.append([
                Span(" GO ", Style(.onFill, on: .good, .bold)), Span("  y opens the sale", Style(.text)),
            ])
        case .noGo(let mayBeOverridden):
            lines.append([
                Span(" NO-GO ", Style(.onFill, on: .bad, .bold)),
                Span(
                    mayBeOverridden
                        ? isSmall ? "  may be overridden" : "  typing the sale's name opens it all the same"
                        : isSmall
                            ? "  not to be overridden" : "  nobody may override it: a yes would not be worth its word",
                    Style(.text)),
            ])
        }
        return lines
    }

    /// One item; a reason against it may need more than a line.
    private func lines(
        _ item: PreflightReport.Item, _ list: PreflightReport, width: Int, _ canvas: Canvas
    ) -> [[Span]] {
        let glyphs = canvas.glyphs
        let isNarrow = canvas.isNarrowDialog
        let title = isNarrow ? item.title + " " : item.title.padding(to: 25)
        let room = max(8, isNarrow ? width - 2 - title.count : width - 27)
        switch list.verdict(item) {
        case .waiting:
            let isCurrent = list.current == item
            return [
                [
                    Span((isCurrent ? glyphs.cursor : glyphs.bullet) + " ", Style(isCurrent ? .accent : .dim)),
                    Span(title, Style(isCurrent ? .text : .dim)),
                    Span(isCurrent ? "checking" : "waiting", Style(.dim)),
                ]
            ]
        case .ok(let words):
            return [
                [
                    Span(glyphs.calm + " ", Style(.good)), Span(title, Style(.text)),
                    Span(SafeText.fitted(words, width: room, ellipsis: glyphs.ellipsis), Style(.dim)),
                ]
            ]
        case .bad(let why, _) where isNarrow:
            let head = [
                Span(glyphs.down + " ", Style(.bad, attributes: .bold)),
                Span(item.title, Style(.title, attributes: .bold)),
            ]
            return [head] + canvas.wrapped(why, width: width - 2, lines: 3).map { [Span("  " + $0, Style(.bad))] }
        case .bad(let why, _):
            return canvas.wrapped(why, width: room, lines: 3).enumerated().map { index, part in
                [
                    Span(index == 0 ? glyphs.down + " " : "  ", Style(.bad, attributes: .bold)),
                    Span(
                        index == 0 ? title : String(repeating: " ", count: 25), Style(.title, attributes: .bold)),
                    Span(part, Style(.bad)),
                ]
            }
        }
    }

    func scheduleSheet(_ time: OpeningTime, _ typed: String) -> Sheet {
        let name = SafeText.fitted(snapshot.saleName, width: 40)
        let when: String
        switch time.kind {
        case .clock: when = "at \(typed)"
        case .after(let seconds): when = "in \(Formats.clock(seconds: Double(seconds)))"
        }
        let buyers =
            permissions.canOpenWithBuyers
            ? " and sends \(Formats.grouped(proposedBuyersPerSecond)) buyers a second for \(proposedSeconds) s" : ""
        return Sheet(
            title: "open \(when)",
            text: [
                Span("Opens \(name) \(when), by itself\(buyers).", Style(.title, attributes: .bold)),
                Span("The list is gone through just before; only GO opens it.", Style(.text)),
                Span(
                    "It lives in this process: quitting takes it back, and so do X and :cancel opening.", Style(.dim)),
            ], tone: .good)
    }

    /// The countdown, beside the sale's state.
    func openingBadge(_ snapshot: WarRoomSnapshot) -> Span? {
        guard let opening = snapshot.opening else { return nil }
        let clock = Formats.clock(seconds: opening.secondsLeft.rounded(.up))
        return Span(" OPENS IN \(clock) ", Style(.onFill, on: opening.secondsLeft < 10 ? .warn : .accent, .bold))
    }
}

extension String {
    /// Filled up with spaces; texts of our own, one cell a character.
    fileprivate func padding(to width: Int) -> String {
        count >= width ? self : self + String(repeating: " ", count: width - count)
    }
}
