import CNcurses
import Glibc
public import TerminalUI

/// A style as ncurses takes it.
struct CursesStyle {
    var attributes: attr_t
    var pair: Int32
}

extension NcursesTerminal {
    /// Shows a canvas. Only rows that differ from what is shown are handed to ncurses, which then sends only the cells that
    /// differ. A canvas of another size than the terminal shows its top left part.
    ///
    /// - Returns: whether it was sent; not while the terminal still takes the frame before. Then come back with a newer one.
    @discardableResult
    public func present(_ canvas: Canvas, theme: Theme) -> Bool {
        guard isReadyToDraw() else { return false }
        if theme != shownTheme {
            styles.removeAll(keepingCapacity: true)
            shown = nil
            shownTheme = theme
        }
        let (columns, rows) = (min(canvas.columns, max(0, row.count - 2)), canvas.rows)
        let known = shown.flatMap { $0.columns == canvas.columns && $0.rows == canvas.rows ? $0 : nil }
        let window = sellout_stdscr()
        for line in 0..<rows {
            var (first, last) = (0, columns - 1)
            if let known {
                guard let span = Self.difference(known.cells, canvas.cells, line * canvas.columns, columns) else {
                    continue
                }
                (first, last) = span
            }
            let count = fill(canvas.cells, line * canvas.columns, first, last, theme)
            if count > 0 && wmove(window, Int32(line), Int32(first)) == OK {
                wadd_wchnstr(window, row.baseAddress, Int32(count))
            }
        }
        shown = canvas
        wrefresh(window)
        return true
    }

    /// The first and last column that differ, widened so that no wide cluster is cut, old or new; nil when none does.
    private static func difference(_ old: [Cell], _ new: [Cell], _ start: Int, _ columns: Int) -> (Int, Int)? {
        var first = 0
        while first < columns && old[start + first] == new[start + first] { first += 1 }
        guard first < columns else { return nil }
        var last = columns - 1
        while old[start + last] == new[start + last] { last -= 1 }
        while first > 0 && (old[start + first].width == 0 || new[start + first].width == 0) { first -= 1 }
        while last < columns - 1 && (old[start + last + 1].width == 0 || new[start + last + 1].width == 0) { last += 1 }
        return (first, last)
    }

    /// Fills the row buffer. - Returns: how many clusters it holds.
    private func fill(_ cells: [Cell], _ start: Int, _ first: Int, _ last: Int, _ theme: Theme) -> Int {
        var count = 0
        var style: Style?
        var resolved = CursesStyle(attributes: 0, pair: 0)
        guard first <= last else { return 0 }
        for column in first...last {
            let cell = cells[start + column]
            if cell.width == 0 { continue }
            if cell.style != style {
                style = cell.style
                resolved = curses(cell.style, theme)
            }
            let isPlain = cell.scalar < 0x7F || (capabilities.glyphs.isUnicode && Self.isDrawing(cell.scalar))
            if (isPlain && cell.mark1 == 0) || isKnownToLibrary(cell) {
                // setcchar takes a base and what combines with it, ended by 0.
                var text: (wchar_t, wchar_t, wchar_t, wchar_t, wchar_t) = (
                    wchar_t(bitPattern: cell.scalar), wchar_t(bitPattern: cell.mark1), wchar_t(bitPattern: cell.mark2),
                    wchar_t(bitPattern: cell.mark3), 0
                )
                withUnsafeBytes(of: &text) { bytes in
                    _ = sellout_set_cell(
                        row.baseAddress.unsafelyUnwrapped + count,
                        bytes.assumingMemoryBound(to: wchar_t.self).baseAddress,
                        resolved.attributes, resolved.pair)
                }
                count += 1
            } else {
                for part in 0..<Int(cell.width) {
                    var text: (wchar_t, wchar_t) = (
                        part > 0 ? 0x20 : capabilities.glyphs.isUnicode ? 0xFFFD : 0x3F, 0
                    )
                    withUnsafeBytes(of: &text) { bytes in
                        _ = sellout_set_cell(
                            row.baseAddress.unsafelyUnwrapped + count,
                            bytes.assumingMemoryBound(to: wchar_t.self).baseAddress, resolved.attributes, resolved.pair)
                    }
                    count += 1
                }
            }
        }
        return count
    }

    /// Box drawing, blocks, braille and the like: one cell everywhere.
    private static func isDrawing(_ scalar: UInt32) -> Bool {
        (0x2500..<0x25A0).contains(scalar) || scalar >> 8 == 0x28
    }

    /// ncurses places clusters by the C library's widths. Where those differ from ours (a newer emoji, another locale) a
    /// cluster would shift its row, so a replacement of our width is shown instead.
    private func isKnownToLibrary(_ cell: Cell) -> Bool {
        guard capabilities.glyphs.isUnicode, sellout_width(cell.scalar) == Int32(cell.width) else {
            return false
        }
        for mark in [cell.mark1, cell.mark2, cell.mark3] where mark != 0 {
            if sellout_width(mark) != 0 { return false }
        }
        return true
    }

    // MARK: Styles

    private func curses(_ style: Style, _ theme: Theme) -> CursesStyle {
        if let known = styles[style] { return known }
        let depth = capabilities.depth
        let wanted = theme.terminalAttributes(style, depth: depth)
        let flag: (Style.Attributes) -> Int32 = { wanted.contains($0) ? 1 : 0 }
        let attributes = sellout_attributes(
            flag(.bold), flag(.dim), flag(.reverse), flag(.underline), flag(.italic))
        var pair: Int32 = 0
        if depth > .mono {
            pair = self.pair(
                Self.number(theme.terminalColour(style.foreground, isBackground: false, depth: depth)),
                Self.number(theme.terminalColour(style.background, isBackground: true, depth: depth)))
        }
        let resolved = CursesStyle(attributes: attributes, pair: pair)
        if styles.count >= 16_384 { styles.removeAll(keepingCapacity: true) }
        styles[style] = resolved
        return resolved
    }

    private static func number(_ colour: TerminalColour) -> Int32 {
        switch colour {
        case .standard: -1
        case .indexed(let number): Int32(number)
        case .direct(let rgb): Int32(rgb.hex)
        }
    }

    /// The pair of two colours; the table grows, and starts anew when the terminal has no more pairs. ncurses repaints what
    /// used a pair that changes.
    private func pair(_ foreground: Int32, _ background: Int32) -> Int32 {
        let key = UInt64(UInt32(bitPattern: foreground)) << 32 | UInt64(UInt32(bitPattern: background))
        if let known = pairs[key] { return known }
        if pairs.count >= Int(sellout_color_pairs()) - 1 {
            pairs.removeAll(keepingCapacity: true)
            styles.removeAll(keepingCapacity: true)
        }
        let number = Int32(pairs.count + 1)
        guard init_extended_pair(number, foreground, background) == OK else { return 0 }
        pairs[key] = number
        return number
    }
}
