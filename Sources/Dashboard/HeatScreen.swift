import Telemetry
import TerminalUI

extension Model {
    // MARK: The cursor

    /// Places of the heat screen for the size that it has.
    private struct HeatPlaces {
        var grid: HeatGrid
        /// The cells, in the panel's own coordinates.
        var area: Rect
        var side: Rect?
        /// The line that tells what is under the cursor.
        var reading: Rect
        /// What the slots leave: the SKUs under the cursor, where they have room.
        var rest: Rect
    }

    private static let gutter = 7

    private func heatPlaces(_ inside: Rect) -> HeatPlaces {
        let isWide = inside.width >= 96
        let sides = inside.columns(isWide ? [.share(1), .fixed(min(52, inside.width * 2 / 5))] : [.share(1)], gap: 2)
        let reading = isWide ? 2 : inside.height < 8 ? 2 : 3
        let area = Rect(
            x: sides[0].x + Self.gutter, y: sides[0].y + 1, width: sides[0].width - Self.gutter,
            height: max(1, sides[0].height - 2 - reading))
        let grid = HeatGrid(columns: area.width, rows: area.height, halves: capabilities.glyphs.ladder >= .eighths)
        let below = area.y + grid.rows + 1
        let end = below + reading + 1
        return HeatPlaces(
            grid: grid, area: area, side: isWide ? sides[1] : nil,
            reading: Rect(x: sides[0].x, y: below, width: sides[0].width, height: reading),
            rest: Rect(x: sides[0].x, y: end, width: sides[0].width, height: max(0, sides[0].bottom - end)))
    }

    private var heatGrid: HeatGrid { heatPlaces(inside(Layout(self).body).inset(1, 0)).grid }

    mutating func moveInHeat(_ motion: Intent.Motion) { slot = heatGrid.moved(slot, motion) }

    /// The buckets in the cell under the cursor, hottest first.
    var bucketsUnderCursor: [WarRoomSnapshot.Bucket] {
        let grid = heatGrid
        let slots = grid.slots(ofValue: grid.value(ofSlot: slot))
        return shown.buckets.filter { slots.contains($0.slot) }.sorted { $0.ordersPerSecond > $1.ordersPerSecond }
    }

    var bucketUnderCursor: WarRoomSnapshot.Bucket? { bucketsUnderCursor.first }

    /// Goes to the next cell that holds SKUs, or the one before; round at the ends.
    mutating func jump(_ step: Int) {
        let grid = heatGrid
        let here = grid.slots(ofValue: grid.value(ofSlot: slot))
        let slots = shown.buckets.map(\.slot)
        let next =
            step > 0
            ? slots.filter { $0 >= here.upperBound }.min() ?? slots.min()
            : slots.filter { $0 < here.lowerBound }.max() ?? slots.max()
        if let next { slot = next }
    }

    /// Puts the cursor on the hottest tag, where it has not been moved.
    mutating func goToHottest() {
        guard slot == 0, let hottest = shown.hottestTags.first else { return }
        slot = hottest.slot
    }

    mutating func pickSlot(_ event: MouseEvent, in body: Rect) -> Bool {
        let places = heatPlaces(inside(body).inset(1, 0))
        guard places.area.contains(x: event.x, y: event.y),
            let value = places.grid.value(
                column: event.x - places.area.x, row: event.y - places.area.y, layer: 0)
        else { return false }
        slot = value * places.grid.fold
        // A click cannot tell halves apart: it takes the one that holds something.
        if bucketUnderCursor == nil,
            let lower = places.grid.value(
                column: event.x - places.area.x, row: event.y - places.area.y, layer: places.grid.layers - 1)
        {
            let upper = slot
            slot = lower * places.grid.fold
            if bucketUnderCursor == nil { slot = upper }
        }
        return true
    }

    // MARK: Drawing

    /// How slots of a node that hold nothing are drawn: owners are told apart without any colour.
    static func texture(_ node: Int?, _ glyphs: Glyphs) -> String {
        guard let node else { return "?" }
        let marks =
            glyphs.isUnicode ? ["·", "╌", "∶", "‚", "˟", "⁃", "˚", "‗"] : [".", "-", ":", ",", "+", "=", "'", "_"]
        return marks[node % marks.count]
    }

    func drawHeatScreen(_ rect: Rect, on canvas: inout Canvas) {
        let hottest = shown.hottestTags.first?.ordersPerSecond ?? 0
        var details = [count(shown.buckets.count, "tag") + " in 16,384 slots"]
        if hottest > 0 { details.append("hottest " + Formats.rate(hottest)) }
        let down = shown.nodes.count { !$0.isUp }
        let panel = screenPanel(details: details, frame: down > 0 ? .bad : nil, glyphs: canvas.glyphs)
        let frame = canvas.panel(rect, panel)
        let inside = frame.inset(1, 0)
        canvas.within(inside) { canvas in
            let places = heatPlaces(canvas.bounds)
            let peak = shown.buckets.map(\.ordersPerSecond).max() ?? 0
            drawGrid(places, peak: peak, on: &canvas)
            canvas.within(places.reading) { drawReading(peak, on: &$0) }
            if places.rest.height >= 4 { canvas.within(places.rest) { drawSKUsHere(on: &$0) } }
            if let side = places.side { canvas.within(side) { drawHeatSide(peak, on: &$0) } }
        }
    }

    private func drawGrid(_ places: HeatPlaces, peak: Double, on canvas: inout Canvas) {
        let grid = places.grid
        var rates = [Float](repeating: -1, count: grid.values)
        var fenced = Set<Int>()
        for bucket in shown.buckets where (0..<HeatGrid.slotsCount).contains(bucket.slot) {
            let value = grid.value(ofSlot: bucket.slot)
            rates[value] = max(rates[value], Float(bucket.ordersPerSecond))
            if bucket.fenced { fenced.insert(value) }
        }
        let owners = owners()
        let cursor = grid.place(ofSlot: slot)
        for row in 0..<grid.rows {
            let y = places.area.y + row
            let first = grid.slots(ofValue: row * grid.layers * grid.columns).lowerBound
            let isHere = row == cursor.row
            canvas.label(
                places.area.x - Self.gutter, y, width: Self.gutter - 1, Formats.grouped(first),
                Style(isHere ? .title : .faint, attributes: isHere ? .bold : []), .right)
            for column in 0..<grid.columns {
                drawCell(
                    grid, column, row, x: places.area.x + column, y: y, rates, fenced, owners, peak: peak, on: &canvas)
            }
        }
        let x = places.area.x + cursor.column
        canvas.put(x, places.area.y - 1, canvas.glyphs.isUnicode ? "▾" : "v", Style(.focusBorder, attributes: .bold))
        let y = places.area.y + cursor.row
        canvas.put(places.area.x - 1, y, canvas.glyphs.cursor, Style(.focusBorder, attributes: .bold))
        canvas.restyle(Rect(x: x, y: y, width: 1, height: 1)) { style in
            Style(style.foreground == .clear ? .title : style.foreground, on: .selection, [.bold, .reverse])
        }
    }

    private func drawCell(
        _ grid: HeatGrid, _ column: Int, _ row: Int, x: Int, y: Int, _ rates: [Float], _ fenced: Set<Int>,
        _ owners: [Int8], peak: Double, on canvas: inout Canvas
    ) {
        let upper = grid.value(column: column, row: row, layer: 0)
        let lower = grid.layers == 2 ? grid.value(column: column, row: row, layer: 1) : nil
        func rate(_ value: Int?) -> Double? { value.flatMap { rates[$0] >= 0 ? Double(rates[$0]) : nil } }
        func ink(_ rate: Double) -> Ink { .heat(peak > 0 ? rate / peak : 0) }
        guard let upper else { return }
        if fenced.contains(upper) || lower.map({ fenced.contains($0) }) == true {
            canvas.put(x, y, canvas.glyphs.alert, Style(.warn, attributes: .bold))
            return
        }
        let (top, bottom) = (rate(upper), rate(lower))
        if !canvas.glyphs.isUnicode || grid.layers == 1, let top {
            canvas.put(x, y, "\(peak > 0 ? min(9, Int(top / peak * 9.99)) : 0)", Style(ink(top), attributes: .bold))
            return
        }
        switch (top, bottom) {
        case (let top?, let bottom?): canvas.put(x, y, "▀", Style(ink(top), on: ink(bottom)))
        case (let top?, nil): canvas.put(x, y, "▀", Style(ink(top)))
        case (nil, let bottom?): canvas.put(x, y, "▄", Style(ink(bottom)))
        case (nil, nil):
            let owner = owners[min(owners.count - 1, upper * grid.fold)]
            let isNobodys = owner < 0
            canvas.put(
                x, y, Self.texture(isNobodys ? nil : Int(owner), canvas.glyphs), Style(isNobodys ? .bad : .faint))
        }
    }

    /// The node of each slot; -1: nobody's.
    private func owners() -> [Int8] {
        var owners = [Int8](repeating: -1, count: HeatGrid.slotsCount)
        for (index, node) in shown.nodes.enumerated() {
            for range in node.slots {
                for slot in range where owners.indices.contains(slot) { owners[slot] = Int8(clamping: index) }
            }
        }
        return owners
    }

    private func owner(ofSlot slot: Int) -> Int? {
        shown.nodes.firstIndex { $0.slots.contains { $0.contains(slot) } }
    }

    /// What is under the cursor, in words, and the legend in numbers.
    private func drawReading(_ peak: Double, on canvas: inout Canvas) {
        let grid = heatGrid
        let slots = grid.slots(ofValue: grid.value(ofSlot: slot))
        let buckets = bucketsUnderCursor
        var spans = [
            Span(
                slots.count == 1
                    ? "slot \(Formats.grouped(slots.lowerBound))"
                    : "slots \(Formats.grouped(slots.lowerBound)) to \(Formats.grouped(slots.upperBound - 1))",
                Style(.title, attributes: .bold))
        ]
        if let node = owner(ofSlot: buckets.first?.slot ?? slots.lowerBound) {
            spans.append(Span("  node \(node + 1)", Style(.text)))
        } else {
            spans.append(Span("  nobody's", Style(.bad, attributes: .bold)))
        }
        if let bucket = buckets.first {
            let tag = SafeText.fitted(bucket.tag, width: 20, ellipsis: canvas.glyphs.ellipsis)
            if canvas.width < 60 {
                // The tag tells more than the slots that share its cell.
                spans[0] = Span("slot \(Formats.grouped(bucket.slot))", Style(.title, attributes: .bold))
            }
            spans.append(Span("  tag \(tag)", Style(.accent, attributes: .bold)))
            if canvas.width >= 60 { spans.append(Span("  slot \(Formats.grouped(bucket.slot))", Style(.dim))) }
            spans.append(Span("  " + Formats.rate(bucket.ordersPerSecond), Style(.title, attributes: .bold)))
            spans.append(Span("  " + count(bucket.skuCount, "SKU"), Style(.text)))
            if buckets.count > 1 {
                spans.append(Span("  and \(count(buckets.count - 1, "tag")) more here", Style(.dim)))
            }
            if bucket.fenced {
                spans.append(Span("  FENCED", Style(.warn, attributes: .bold)))
            }
        } else {
            spans.append(Span("  no SKU lies here", Style(.dim)))
        }
        // Whole words only: what is least telling goes first.
        func size() -> Int { spans.reduce(0) { $0 + SafeText.width($1.text) } }
        while spans.count > 1, size() > canvas.width { spans.removeLast() }
        canvas.fit(0, 0, width: canvas.width, spans)
        if canvas.height >= 3, let bucket = buckets.first, !bucket.skus.isEmpty {
            canvas.label(0, 1, width: canvas.width, "hottest: " + bucket.skus.joined(separator: "  "), Style(.dim))
        }
        let y = canvas.height - 1
        let high = Formats.rate(peak)
        var x = canvas.heatLegend(0, y, width: min(20, canvas.width / 4), low: "0", high: high) + 3
        for (index, _) in shown.nodes.enumerated() where x + 10 <= canvas.width {
            x =
                canvas.put(
                    x, y,
                    [
                        Span(String(repeating: Self.texture(index, canvas.glyphs), count: 3), Style(.dim)),
                        Span(" node \(index + 1)", Style(.dim)),
                    ]) + 2
        }
        if grid.fold > 1, x + 18 < canvas.width {
            canvas.putRight(x, y, width: canvas.width - x, [Span("\(grid.fold) slots a cell", Style(.faint))])
        }
    }

    private static let skusLookedAtMax = 20_000

    /// The SKUs of the tag under the cursor, hottest first: as many as the slots leave room for.
    private func drawSKUsHere(on canvas: inout Canvas) {
        guard let bucket = bucketUnderCursor else { return }
        let skus = shown.skus
        // All of them are gone through in each frame: of a sale this large the stock list tells, by Enter.
        guard skus.count <= Self.skusLookedAtMax else { return }
        let here = RowSort.largest(skus.count, limit: canvas.height) {
            skus[$0].tag == bucket.tag ? skus[$0].unitsPerSecond : -1
        }
        .filter { skus[$0].tag == bucket.tag }
        canvas.rule(
            0, "SKUs of tag \(SafeText.fitted(bucket.tag, width: 20, ellipsis: canvas.glyphs.ellipsis))",
            note: "Enter lists all")
        let columns = [
            TableColumn("SKU", width: min(14, list.skuWidth)), TableColumn("name", width: 14, stretch: 1),
            TableColumn("left", width: 9, .right), TableColumn("sold %", width: 12, expendability: 2),
            TableColumn("/s", width: 5, .right), TableColumn("60 s", width: 20, expendability: 3),
            TableColumn("state", width: 9, expendability: 1),
        ]
        let table = Table(columns: columns, rowCount: here.count, showsCursor: false)
        _ = canvas.placedTable(Rect(y: 1, width: canvas.width, height: canvas.height - 1), table) { row, column in
            let sku = skus[here[row]]
            switch column {
            case 0: return .text(sku.sku, Style(.dim))
            case 1: return .text(sku.name, Style(.text))
            case 2: return .text(sku.stock.map { units($0, width: 9) } ?? "?", Style(.title))
            case 3: return .gauge(sku.soldShare, gradient: sku.state.gauge)
            case 4: return .text(perSecond(sku.unitsPerSecond), Style(sku.unitsPerSecond > 0 ? .title : .faint))
            case 5: return .sparkline(minute(sku.history, slots: 40), gradient: .between(.accent, .second))
            default: return .text(sku.state.word, sku.state.style)
            }
        }
    }

    /// Nodes and tags beside the slots.
    private func drawHeatSide(_ peak: Double, on canvas: inout Canvas) {
        canvas.rule(0, "nodes")
        var y = 1
        let busiest = shown.nodes.map(\.ordersPerSecond).max() ?? 0
        for (index, node) in shown.nodes.enumerated() where y < canvas.height / 2 {
            drawNode(node, index, peak: busiest, y, on: &canvas)
            y += 1
        }
        y += 1
        guard y + 1 < canvas.height else { return }
        drawTagHead(y, "tags by rate", on: &canvas)
        y += 1
        let here = bucketUnderCursor?.tag
        let buckets = shown.buckets
        let tags = RowSort.largest(buckets.count, limit: max(1, canvas.height - y)) { buckets[$0].ordersPerSecond }
            .map { buckets[$0] }
        for tag in tags where y < canvas.height {
            let isHere = tag.tag == here
            if isHere { canvas.fill(Rect(x: 0, y: y, width: canvas.width, height: 1), .selection) }
            let shownTag = WarRoomSnapshot.Tag(
                tag: tag.tag, slot: tag.slot, node: tag.node, ordersPerSecond: tag.ordersPerSecond, skus: tag.skus,
                fenced: tag.fenced)
            drawTag(shownTag, peak: peak, y, on: &canvas)
            y += 1
        }
    }
}
