import Testing

@testable import TerminalUI

@Suite struct WidgetTests {
    private func drawn(_ columns: Int, _ rows: Int, _ glyphs: Glyphs = .unicode, _ draw: (inout Canvas) -> Void)
        -> String
    {
        var canvas = Canvas(columns: columns, rows: rows, glyphs: glyphs)
        draw(&canvas)
        return canvas.plainText
    }

    @Test func panelCutsTitleAndKeysIntoItsBorder() {
        let panel = Panel(
            "stock", details: ["1,000 SKUs"], trailing: [[Span("LIVE")]], number: 1,
            hints: [Hint("/", "filter"), Hint("s", "sort"), Hint("z", "freeze")], isFocused: true)
        #expect(
            drawn(44, 3) { $0.panel($0.bounds, panel) } == """
                ╭─ ¹stock ─ 1,000 SKUs ───────────── LIVE ─╮
                │                                          │
                ╰─ / filter ─ sort ─ z freeze ─────────────╯
                """)
        #expect(
            drawn(24, 3, .ascii) { $0.panel($0.bounds, panel) } == """
                +- 1 stock ------------+
                |                      |
                +- / filter - sort ----+
                """)
        #expect(
            drawn(12, 2) { $0.panel($0.bounds, panel) } == """
                ╭─ ¹stock ─╮
                ╰──────────╯
                """)
    }

    @Test func graphsClimbDownTheLadder() {
        let values: [Double] = [0, 1, 2, 3, 4, 5, 6, 8]
        #expect(drawn(4, 1) { $0.sparkline(0, 0, width: 4, values) } == "⢀⣠⣴⣾")
        #expect(drawn(8, 1) { $0.sparkline(0, 0, width: 8, values, bars: true) } == "▁▁▂▃▄▅▆█")
        #expect(drawn(8, 1, Glyphs(ladder: .shades)) { $0.sparkline(0, 0, width: 8, values) } == " ░░░▒▒▒█")
        #expect(drawn(8, 1, .ascii) { $0.sparkline(0, 0, width: 8, values) } == "_2345679")
        #expect(drawn(4, 2) { $0.graph($0.bounds, values) } == "  ⢀⣼\n⢀⣴⣿⣿")
    }

    @Test func aGraphOfNothingAndOfNonsenseIsEmpty() {
        #expect(drawn(4, 2) { $0.graph($0.bounds, []) } == "\n")
        #expect(drawn(2, 1) { $0.sparkline(0, 0, width: 2, [.nan, .infinity, -1, 0]) } == "⣀⣀")
    }

    @Test(
        arguments: [
            (0.0, "    "), (0.001, "▏   "), (0.5, "██  "), (0.53, "██▏ "), (0.999, "███▉"), (1.0, "████"), (7, "████"),
            (-1, "    "), (.nan, "    "),
        ] as [(Double, String)]) func gaugesFillInEighths(fraction: Double, expected: String)
    {
        #expect(
            drawn(5, 1) {
                $0.gauge(0, 0, width: 4, fraction)
                $0.put(4, 0, "|")
            } == expected + "|")
    }

    @Test func gaugesAsLinesLeaveATrack() {
        #expect(drawn(4, 1) { $0.lineGauge(0, 0, width: 4, 0.4) } == "━╾──")
        #expect(drawn(4, 1, .ascii) { $0.lineGauge(0, 0, width: 4, 0.5) } == "##..")
    }

    @Test func aTableAlignsSortsScrollsAndDropsColumns() {
        let columns = [
            TableColumn("SKU", width: 4), TableColumn("name", width: 6, stretch: 1),
            TableColumn("left", width: 6, .right, sort: .descending), TableColumn("more", width: 6, expendability: 1),
        ]
        var position = ListPosition()
        position.cursor = 7
        let table = Table(columns: columns, rowCount: 9, position: position, isFocused: true)
        let text = drawn(26, 4) { canvas in
            let hits = canvas.table(canvas.bounds, table) { row, column in
                [.text("\(row)"), .text("item number \(row)"), .text("\(row * 100)"), .text("no")][column]
            }
            #expect(hits.row(x: 3, y: 3) == 7)
            #expect(hits.row(x: 3, y: 0) == nil)
            #expect(hits.head(x: 20, y: 0) == 2)
        }
        #expect(
            text == """
                  SKU   name        left↓
                  5     item num…     500
                  6     item num…     600
                ▸ 7     item num…     700
                """)
        let none = Table(columns: columns, rowCount: 0, emptyText: "nothing matches")
        let empty = drawn(26, 4) { $0.table($0.bounds, none) { _, _ in .text("") } }
        #expect(empty.contains("nothing matches"))
    }

    @Test func theCursorStaysInSight() {
        var position = ListPosition()
        for (cursor, count, visible, expected) in [
            (50, 100, 10, 41), (45, 100, 10, 41), (0, 100, 10, 0), (99, 20, 10, 10),
        ] {
            position.cursor = cursor
            position.settle(count: count, visible: visible)
            #expect(position.offset == expected)
            #expect(position.cursor < count && position.cursor >= position.offset)
        }
        position.settle(count: 0, visible: 5)
        #expect(position.cursor == 0 && position.offset == 0)
    }

    @Test func aDialogSaysItsEffectAndItsFields() {
        let dialog = Dialog(
            "freeze 1001", text: ["Stops the sale of Trail Runner at once."],
            fields: [.init("units", TextField("x1x2", kind: .number(1...99)), note: "of 812")],
            hints: [Hint("y", "yes"), Hint("Esc", "leave")], tone: .bad, width: 30)
        #expect(
            drawn(36, 8) { $0.dialog(dialog) } == """
                ╭─ freeze 1001 ────────────────────╮
                │                                  │
                │  Stops the sale of Trail Runner  │
                │  at once.                        │
                │                                  │
                │  units  x1x2           1 to 99   │
                │                                  │
                ╰─ yes ─ Esc leave ────────────────╯
                """)
    }

    @Test func textFieldsEdit() {
        var field = TextField(kind: .number(1...500), limit: 4)
        for key in ["1", "x", "2", "3"] { field.edit(.char(Character(key))) }
        #expect(field.number == 123 && field.problem == nil)
        field.edit(.left)
        field.edit(.backspace)
        #expect(field.text == "13")
        field.insert("99999\n1")
        #expect(field.text == "1993" && field.problem == "1 to 500")
        var text = TextField("two words")
        text.edit(.control("w"))
        #expect(text.text == "two ")
        text.insert("\u{1B}[2J日")
        #expect(text.text == "two ␛[2J日")
        #expect(!text.edit(.enter) && !text.edit(.escape))
    }

    @Test(arguments: [(0, 0), (1, 1), (5, 2), (10, 3), (59, 15), (80, 24)]) func smallScreensNeverTrap(size: (Int, Int))
    {
        for glyphs in [Glyphs.unicode, .ascii, Glyphs(ladder: .shades)] {
            let text = drawn(size.0, size.1, glyphs) { canvas in
                let inside = canvas.panel(
                    canvas.bounds, Panel("a", details: ["b"], number: 3, hints: [Hint("s", "sort")]))
                canvas.table(inside, Table(columns: [TableColumn("x", width: 4)], rowCount: 5)) { _, _ in .gauge(0.5) }
                canvas.dialog(Dialog("d", text: ["words and words"], fields: [.init("n", TextField("1"))]))
                canvas.help([HelpSection(title: "t", lines: [.init(keys: "a", help: "does it")])], title: "help")
                canvas.toast("hello", .good)
                canvas.footer(canvas.bounds, [Hint("q", "quit")])
                canvas.heatLegend(0, 0, width: size.0, low: "0", high: "9")
                canvas.graph(canvas.bounds, [1, 2, 3])
            }
            if glyphs == .ascii { #expect(text.utf8.allSatisfy { $0 < 0x80 }) }
        }
    }
}
