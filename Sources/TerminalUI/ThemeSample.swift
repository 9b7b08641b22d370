extension Canvas {
    /// A theme at a glance: what its colours mean here, and the palette that they come from.
    /// - Parameter name: as one asks for it; the scheme may call itself something else.
    public static func sample(of scheme: BaseScheme, name: String, glyphs: Glyphs, columns: Int = 76) -> Canvas {
        var canvas = Canvas(columns: max(40, columns), rows: 7, glyphs: glyphs)
        canvas.fill(canvas.bounds, .background)
        let theme = Theme(scheme)
        let panel = Panel(
            SafeText.fitted(name, width: 30, ellipsis: glyphs.ellipsis),
            details: [
                scheme.name == name ? "" : SafeText.fitted(scheme.name, width: 24, ellipsis: glyphs.ellipsis),
                theme.isDark ? "dark" : "light",
            ],
            trailing: [[Span(scheme.system, Style(.dim))]])
        let inside = canvas.panel(canvas.bounds, panel).inset(1, 0)
        canvas.within(inside) { canvas in
            canvas.drawRoles(0)
            canvas.put(
                0, 1,
                [
                    Span("OK  ", Style(.good)), Span("HOT  ", Style(.hot, attributes: .bold)),
                    Span("LOW  ", Style(.warn, attributes: .bold)), Span("SOLD OUT  ", Style(.dim)),
                    Span("FROZEN  ", Style(.frozen, attributes: .bold)),
                ])
            var x = canvas.badge(32, 1, "OPEN", .good)
            x = canvas.badge(x + 1, 1, "HALTED", .warn)
            canvas.badge(x + 1, 1, "OVERSOLD", .bad)
            canvas.fill(Rect(x: 0, y: 2, width: canvas.width, height: 1), .selection)
            canvas.put(
                0, 2,
                [
                    Span(glyphs.cursor + " ", Style(.focusBorder, attributes: .bold)),
                    Span("1001  Trail Runner 42        812   9,188", Style(.selectionText)),
                ])
            canvas.gauge(0, 3, width: 30, 0.62, .solid(.accent))
            canvas.heatLegend(32, 3, width: max(0, canvas.width - 41), low: "cold", high: "hot")
            for (index, colour) in scheme.palette.enumerated() {
                let text = format(index)
                let letters: RGB =
                    colour.contrast(with: RGB(hex: 0)) > 6 ? RGB(hex: 0) : RGB(hex: 0xFFFFFF)
                let wide = scheme.palette.count > 16 ? 3 : 4
                canvas.put(
                    index * wide, 4, wide == 3 ? text + " " : " " + text + " ", Style(.rgb(letters), on: .rgb(colour)))
            }
        }
        return canvas
    }

    private mutating func drawRoles(_ y: Int) {
        put(
            0, y,
            [
                Span("text  ", Style(.text)), Span("dim  ", Style(.dim)), Span("faint  ", Style(.faint)),
                Span("title  ", Style(.title, attributes: .bold)), Span("key  ", Style(.hot, attributes: .bold)),
                Span("accent  ", Style(.accent)), Span("second  ", Style(.second)), Span("good  ", Style(.good)),
                Span("warn  ", Style(.warn)), Span("bad", Style(.bad)),
            ])
    }

    /// The canvas as lines of a terminal's own text, for a command that prints and ends: letters, SGR sequences, line ends,
    /// nothing else.
    public func terminalText(_ theme: Theme, depth: TerminalCapabilities.ColourDepth) -> String {
        var text = ""
        for row in 0..<rows {
            var style: Style?
            for cell in cells[row * columns..<(row + 1) * columns] where cell.width > 0 {
                if cell.style != style {
                    style = cell.style
                    text += Self.sequence(cell.style, theme, depth)
                }
                for value in [cell.scalar, cell.mark1, cell.mark2, cell.mark3] where value != 0 {
                    text.unicodeScalars.append(Unicode.Scalar(value) ?? "\u{FFFD}")
                }
            }
            text += "\u{1B}[0m\n"
        }
        return text
    }

    private static func sequence(_ style: Style, _ theme: Theme, _ depth: TerminalCapabilities.ColourDepth) -> String {
        var codes = ["0"]
        let attributes = theme.terminalAttributes(style, depth: depth)
        if attributes.contains(.bold) { codes.append("1") }
        if attributes.contains(.dim) { codes.append("2") }
        if attributes.contains(.italic) { codes.append("3") }
        if attributes.contains(.underline) { codes.append("4") }
        if attributes.contains(.reverse) { codes.append("7") }
        func colour(_ ink: Ink, isBackground: Bool) -> String? {
            let base = isBackground ? 40 : 30
            switch theme.terminalColour(ink, isBackground: isBackground, depth: depth) {
            case .standard: return nil
            case .indexed(let number): return number < 8 ? "\(base + Int(number))" : "\(base + 8);5;\(number)"
            case .direct(let rgb):
                return "\(base + 8);2;\(rgb.hex >> 16 & 0xFF);\(rgb.hex >> 8 & 0xFF);\(rgb.hex & 0xFF)"
            }
        }
        if let front = colour(style.foreground, isBackground: false) { codes.append(front) }
        if let back = colour(style.background, isBackground: true) { codes.append(back) }
        return "\u{1B}[" + codes.joined(separator: ";") + "m"
    }
}

/// The digits by which a palette names a colour: `0A`.
private func format(_ index: Int) -> String {
    let digits = String(index, radix: 16).uppercased()
    return digits.count < 2 ? "0" + digits : digits
}
