import Testing

@testable import TerminalUI

@Suite struct CanvasTests {
    @Test func clipsToRegionsAndNeverOutside() {
        var canvas = Canvas(columns: 8, rows: 3)
        canvas.within(Rect(x: 2, y: 1, width: 4, height: 1)) { canvas in
            #expect(canvas.bounds == Rect(width: 4, height: 1))
            canvas.put(-2, 0, "abcdefghijk")
            canvas.put(0, 1, "below")
            canvas.put(0, -1, "above")
        }
        canvas.put(-3, 2, "xyz!")
        canvas.put(0, 99, "far")
        #expect(canvas.plainText == "\n  cdef\n!")
    }

    @Test func aWideClusterIsNeverCut() {
        var canvas = Canvas(columns: 5, rows: 1)
        canvas.put(0, 0, "日本語")
        #expect(canvas.plainText == "日本")
        canvas.put(1, 0, "x")
        #expect(canvas.plainText == " x本")
        canvas.put(2, 0, "y")
        #expect(canvas.plainText == " xy")
        canvas.put(1, 0, "日")
        #expect(canvas.plainText == " 日")
        canvas.put(0, 0, "本")
        #expect(canvas.plainText == "本")
        canvas.put(-1, 0, "日z")
        #expect(canvas.plainText == " z")
    }

    /// Whatever is drawn: no control character in a cell, every wide cell followed by its half, no half alone.
    @Test(arguments: 0..<20) func hostileBytesStayHarmless(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var canvas = Canvas(columns: 23, rows: 9)
        for _ in 0..<400 {
            let length = Int.random(in: 0...40, using: &random)
            let region = Rect(
                x: .random(in: -5...25, using: &random), y: .random(in: -2...10, using: &random),
                width: .random(in: 0...30, using: &random), height: .random(in: 0...10, using: &random))
            let place = (Int.random(in: -20...30, using: &random), Int.random(in: -2...10, using: &random))
            canvas.within(region) { canvas in
                if Bool.random(using: &random) {
                    let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
                    canvas.put(place.0, place.1, bytes: bytes)
                } else {
                    var text = ""
                    for _ in 0..<length {
                        let limit: UInt32 = [0x300, 0x3000, 0x20000, 0x110000].randomElement(using: &random) ?? 0x300
                        let scalar = Unicode.Scalar(.random(in: 0..<limit, using: &random)) ?? "日"
                        text.unicodeScalars.append(scalar)
                    }
                    canvas.put(place.0, place.1, text)
                }
            }
        }
        for row in 0..<canvas.rows {
            let line = Array(canvas.cells[row * canvas.columns..<(row + 1) * canvas.columns])
            for (column, cell) in line.enumerated() {
                for value in [cell.scalar, cell.mark1, cell.mark2, cell.mark3] where value != 0 {
                    let category = Unicode.Scalar(value)?.properties.generalCategory
                    #expect(category != .control && category != .format && category != .privateUse)
                    #expect(category != .lineSeparator && category != .paragraphSeparator)
                }
                if cell.width == 2 { #expect(column + 1 < line.count && line[column + 1].width == 0) }
                if cell.width == 0 { #expect(column > 0 && line[column - 1].width == 2) }
            }
        }
    }

    @Test func keepsTheBackgroundThatIsThere() {
        var canvas = Canvas(columns: 3, rows: 1)
        canvas.fill(canvas.bounds, .selection)
        canvas.put(1, 0, "x", Style(.bad))
        #expect(canvas[1, 0]?.style == Style(.bad, on: .selection))
        canvas.put(1, 0, "x", Style(.bad, on: .track))
        #expect(canvas[1, 0]?.style.background == .track)
    }

    @Test func anASCIITerminalGetsASCIIOnly() {
        var canvas = Canvas(columns: 14, rows: 1, glyphs: .ascii)
        canvas.put(0, 0, "“日é\u{301}” ↓ 3…·|")
        #expect(canvas.plainText == "\"? ?\" v 3~.|" && canvas.cells.allSatisfy { $0.scalar < 0x7F && $0.width == 1 })
    }

    @Test func goldenFormsShowTextAndStyle() {
        var canvas = Canvas(columns: 6, rows: 1)
        canvas.put(0, 0, "ab", Style(.bad, attributes: .bold))
        canvas.put(3, 0, "c")
        #expect(canvas.styledText == "ab c\n\naa.b\n\na = bad bold\nb = text")
    }
}

@Suite struct GeometryTests {
    @Test func sharesOutFixedPartsFirst() {
        let rows = Rect(width: 10, height: 20).rows([.fixed(4), .share(1), .share(2), .fixed(1)])
        #expect(rows.map(\.height) == [4, 5, 10, 1])
        #expect(rows.map(\.y) == [0, 4, 9, 19])
    }

    @Test func floorsHold() {
        #expect(Rect(width: 30, height: 1).columns([.atLeast(20, share: 1), .share(1)]).map(\.width) == [20, 10])
        #expect(Rect(width: 100, height: 1).columns([.atLeast(20, share: 1), .share(1)]).map(\.width) == [50, 50])
    }

    @Test func partsNeverOverlapOrLeave() {
        var random = SplitMix(seed: 3)
        for _ in 0..<2000 {
            let rect = Rect(x: 3, y: 5, width: .random(in: 0...80, using: &random), height: 4)
            let extents = (0..<Int.random(in: 1...6, using: &random)).map { _ -> Extent in
                switch Int.random(in: 0...2, using: &random) {
                case 0: .fixed(.random(in: 0...30, using: &random))
                case 1: .share(.random(in: 0...3, using: &random))
                default: .atLeast(.random(in: 0...20, using: &random), share: .random(in: 0...3, using: &random))
                }
            }
            let parts = rect.columns(extents, gap: .random(in: 0...2, using: &random))
            var end = rect.x
            for part in parts where part.width > 0 {
                #expect(part.x >= end && part.right <= rect.right)
                end = part.right
            }
        }
    }
}
