import TerminalUI

extension Model {
    /// Where the palette stands in an area of this size.
    func palettePlace(width: Int, height: Int, offers: Int) -> Rect {
        let mine = min(width - 4, 84)
        let rows = max(5, min(height - 2, offers + 4))
        return Rect(x: (width - mine) / 2, y: min(2, height - rows), width: mine, height: rows)
    }

    /// The line being typed, and what it could mean.
    func drawPalette(on canvas: inout Canvas) {
        guard let palette else { return }
        let offers = offers
        let rect = palettePlace(width: canvas.width, height: canvas.height, offers: offers.count)
        let panel = Panel("command", hints: hints(.palette, canvas.glyphs), isFocused: true)
        canvas.overlay(rect, panel) { canvas in
            canvas.put(1, 0, ":", Style(.hot, attributes: .bold))
            canvas.field(3, 0, width: canvas.width - 4, palette.field, isFocused: true)
            if offers.isEmpty { canvas.put(3, 2, "nothing is called that", Style(.dim)) }
            let widest = min(34, offers.map { SafeText.width(SafeText.fitted($0.text, width: 34)) }.max() ?? 0)
            for (index, offer) in offers.enumerated() where index + 2 < canvas.height {
                let y = index + 2
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
