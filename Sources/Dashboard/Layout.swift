import Telemetry
import TerminalUI

/// Where everything stands, for a size. Panels fold into one line as room goes; they never overlap.
struct Layout {
    enum Header {
        /// Figures under their labels, in two rows.
        case tiles
        /// Figures beside their labels, in one row.
        case line
    }

    var header = Rect(width: 0, height: 0)
    var headerForm = Header.tiles
    var panels: [PanelID: Rect] = [:]
    /// What a screen other than the overview fills.
    var body = Rect(width: 0, height: 0)
    /// One line that tells what the folded panels, or the other screens, would.
    var foldBar: Rect?
    var footer = Rect(width: 0, height: 0)

    init(_ model: Model) {
        self.init(
            columns: model.columns, rows: model.rows, focus: model.focus,
            isZoomed: model.isZoomed,
            // Borders, a head over the tags, the legend.
            heatLines: max(3, min(8, model.shown.nodes.count)) + 10 + 4)
    }

    /// - Parameter heatLines: what the heat panel can use.
    init(columns: Int, rows: Int, focus: PanelID, isZoomed: Bool, heatLines: Int = 17) {
        let screen = Rect(width: columns, height: rows)
        headerForm = rows < 20 ? .line : .tiles
        let parts = screen.rows([.fixed(headerForm == .line ? 4 : 5), .share(1), .fixed(1)])
        (header, footer) = (parts[0], parts[2])
        let middle = parts[1]
        if isZoomed {
            let parts = middle.rows([.share(1), .fixed(1)])
            (body, foldBar) = (parts[0], parts[1])
        } else if columns < 80 || rows < 22 {
            compact(middle, focus: focus)
        } else if columns < 100 {
            stacked(middle)
        } else {
            twoColumns(middle, heatLines: heatLines)
        }
    }

    /// One panel and a line for the others.
    private mutating func fold(_ area: Rect, showing panel: PanelID) {
        let parts = area.rows([.share(1), .fixed(1)])
        panels = [panel: parts[0]]
        foldBar = parts[1]
    }

    /// The panel in focus, a line for the others, and the last events where there is room.
    private mutating func compact(_ area: Rect, focus: PanelID) {
        guard area.height >= 15 && focus != .events else { return fold(area, showing: focus) }
        let parts = area.rows([.share(1), .fixed(4), .fixed(1)])
        panels = [focus: parts[0], .events: parts[1]]
        foldBar = parts[2]
    }

    /// 80 columns: the table over three small panels over the events.
    private mutating func stacked(_ area: Rect) {
        let parts = area.rows([.atLeast(9, share: 5), .atLeast(5, share: 2), .atLeast(4, share: 2)])
        let small = parts[1].columns([.share(13), .share(14), .share(13)])
        panels = [.stock: parts[0], .ledger: small[0], .heat: small[1], .drift: small[2], .events: parts[2]]
    }

    /// The table at the left, the rest beside it, the events under both. Where there is room, the table gets the full
    /// height and the ledger moves to the right.
    private mutating func twoColumns(_ area: Rect, heatLines: Int) {
        let events = min(16, max(4, area.height / 5))
        let parts = area.rows([.share(1), .fixed(events)])
        let height = parts[0].height
        if area.width >= 150 && height >= heatLines + 14 {
            let sides = parts[0].columns([.share(3), .share(2)])
            let right = sides[1].rows([.fixed(heatLines), .share(1), .share(1)])
            panels = [.stock: sides[0], .heat: right[0], .ledger: right[1], .drift: right[2], .events: parts[1]]
            return
        }
        let sides = parts[0].columns([.share(27), .share(14)])
        let ledger = min(12, max(5, height * 3 / 10))
        let left = sides[0].rows([.share(1), .fixed(ledger)])
        let heat = min(heatLines, height - max(5, height * 3 / 10))
        let right = sides[1].rows([.fixed(heat), .share(1)])
        panels = [.stock: left[0], .ledger: left[1], .heat: right[0], .drift: right[1], .events: parts[1]]
    }

    /// The panel at a place.
    func panel(x: Int, y: Int) -> PanelID? {
        panels.first { $0.value.contains(x: x, y: y) }?.key
    }
}

extension Model {
    /// Below the smallest size only that size is told.
    var isTooSmall: Bool { columns < Self.columnsMin || rows < Self.rowsMin }

    /// How many rows of the stock table are in sight.
    var stockRowsVisible: Int {
        guard !isTooSmall else { return 1 }
        let layout = Layout(self)
        let rect = screen == .overview ? layout.panels[.stock] : layout.body
        guard let rect else { return 1 }
        return max(1, rect.height - 3 - (isEditingFilter ? 1 : 0))
    }
}
