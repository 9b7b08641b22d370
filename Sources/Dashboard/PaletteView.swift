import TerminalUI

extension Model {
    /// Where the palette stands in an area of this size.
    func palettePlace(width: Int, height: Int, offers: Int) -> Rect {
        if isSmall { return Rect(width: width, height: min(height, max(4, offers + 2))) }
        let mine = min(width - 4, 84)
        let rows = max(5, min(height - 2, offers + 4))
        return Rect(x: (width - mine) / 2, y: min(2, height - rows), width: mine, height: rows)
    }

    /// The first offer's line within the frame.
    var paletteTop: Int { isSmall ? 1 : 2 }

    /// The line being typed, and what it could mean.
    func drawPalette(on canvas: inout Canvas) {
        guard let palette else { return }
        let offers = offers
        let rect = palettePlace(width: canvas.width, height: canvas.height, offers: offers.count)
        let panel = Panel("command", hints: hints(.palette, canvas.glyphs), isFocused: true)
        let top = paletteTop
        canvas.overlay(rect, panel) { canvas in
            canvas.put(1, 0, ":", Style(.hot, attributes: .bold))
            canvas.field(3, 0, width: canvas.width - 4, palette.field, isFocused: true)
            if offers.isEmpty { canvas.put(3, top, "nothing is called that", Style(.dim)) }
            let widest = min(
                isSmall ? max(12, canvas.width / 2) : 34,
                offers.map { SafeText.width(SafeText.fitted($0.text, width: 34)) }.max() ?? 0)
            for (index, offer) in offers.enumerated() where index + top < canvas.height {
                let y = index + top
                let isChosen = index == palette.chosen
                if isChosen {
                    canvas.fill(Rect(x: 0, y: y, width: canvas.width, height: 1), .selection)
                    canvas.put(1, y, canvas.glyphs.cursor, Style(.focusBorder, attributes: .bold))
                }
                canvas.label(
                    3, y, width: widest, offer.text,
                    isChosen ? Style(.selectionText, attributes: .bold) : Style(.text))
                canvas.label(widest + 5, y, width: canvas.width - widest - 6, offer.note, Style(.dim))
            }
        }
    }
}
