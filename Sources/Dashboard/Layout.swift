import Telemetry
import TerminalUI

/// Where everything stands, for a size. Panels fold into one line as room goes; they never overlap.
struct Layout {
    enum Header {
        /// Figures under their labels, in two rows.
        case tiles
        /// Figures beside their labels, in one row.
        case line
        /// One line of words, or two: no frame.
        case strip
    }

    /// Below this many columns or rows everything is drawn without boxes: each cell counts.
    static let roomyColumns = 60
    static let roomyRows = 16

    var header = Rect(width: 0, height: 0)
    var headerForm = Header.tiles
    var panels: [PanelID: Rect] = [:]
    /// What a screen other than the overview fills.
    var body = Rect(width: 0, height: 0)
    /// One line that tells what the folded panels, or the other screens, would.
    var foldBar: Rect?
    /// The keys of what is shown, where no border has a place for them.
    var keyLine: Rect?
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
        if columns < Self.roomyColumns || rows < Self.roomyRows {
            small(screen, focus: focus, isZoomed: isZoomed)
            return
        }
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

    /// Down to 40 by 10 cells: one panel between a line of state and a line of keys; more lines, and more panels, as rows allow.
    private mutating func small(_ screen: Rect, focus: PanelID, isZoomed: Bool) {
        headerForm = .strip
        let rows = screen.height
        let parts = screen.rows([
            .fixed(rows >= 13 ? 2 : 1), .share(1), .fixed(rows >= 12 ? 1 : 0), .fixed(rows >= 14 ? 1 : 0), .fixed(1),
        ])
        (header, body, footer) = (parts[0], parts[1], parts[4])
        if !parts[2].isEmpty { keyLine = parts[2] }
        if !parts[3].isEmpty { foldBar = parts[3] }
        guard !isZoomed else { return }
        switch body.height {
        case 36...:
            let stacked = body.rows([.share(1), .fixed(7), .fixed(7), .fixed(7), .fixed(6)])
            panels = [
                .stock: stacked[0], .heat: stacked[1], .ledger: stacked[2], .drift: stacked[3], .events: stacked[4],
            ]
        case 16... where focus != .events:
            let stacked = body.rows([.share(1), .fixed(5)])
            panels = [focus: stacked[0], .events: stacked[1]]
        default: panels = [focus: body]
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

    /// Whether there is no room for boxes.
    var isSmall: Bool { columns < Layout.roomyColumns || rows < Layout.roomyRows }

    /// Nothing drawn yet.
    var blankCanvas: Canvas {
        var canvas = Canvas(columns: columns, rows: rows, glyphs: capabilities.glyphs)
        canvas.framing = isSmall ? .rules : .boxes
        return canvas
    }

    /// Where dialogs stand. They leave the footer alone, so that the brake stays in sight; and the state's line where they fill the
    /// screen, or where the word PROD stands in it.
    var dialogArea: Rect {
        guard isSmall else {
            let top = permissions.isProduction ? 1 : 0
            return Rect(y: top, width: columns, height: rows - 1 - top)
        }
        let top = rows >= 13 ? 2 : 1
        return Rect(y: top, width: columns, height: rows - top - 1)
    }

    /// What a panel leaves for what it shows.
    func inside(_ rect: Rect) -> Rect {
        isSmall
            ? Rect(x: rect.x, y: rect.y + 1, width: rect.width, height: rect.height - 1) : rect.inset(1, 1)
    }

    /// How many rows of the stock table are in sight.
    var stockRowsVisible: Int {
        guard !isTooSmall else { return 1 }
        let layout = Layout(self)
        let rect = screen == .overview ? layout.panels[.stock] : layout.body
        guard let rect else { return 1 }
        return max(1, inside(rect).height - 1 - (isEditingFilter ? 1 : 0))
    }
}
