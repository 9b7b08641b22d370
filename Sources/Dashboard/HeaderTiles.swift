import Telemetry
import TerminalUI

/// One figure of the header.
private struct Tile {
    var label: String
    var value: String
    /// Stands for it where it has no room.
    var short: String?
    /// Said after the value where there is room.
    var more = ""
    var style = Style(.title, attributes: .bold)
    /// Fills the tile: something is wrong.
    var alarm: Role?
    /// Cells that it always gets, so that nothing moves as numbers change.
    var width: Int
    /// Larger goes first when room is short.
    var expendability: Int
}

extension Model {
    private func tiles(_ snapshot: WarRoomSnapshot, on canvas: Canvas) -> [Tile] {
        if let foreign = snapshot.foreign { return foreignTiles(foreign, snapshot) }
        let (orders, ledger, drift) = (snapshot.orders, snapshot.ledger, snapshot.drift)
        let calm = Style(.good, attributes: .bold)
        var tiles = [
            Tile(
                label: "accepted", value: Formats.count(Double(orders.accepted)), width: 8, expendability: 3),
            Tile(
                label: "refused", value: orders.refused.map { Formats.count(Double($0)) } ?? "-",
                style: Style(.text), width: 7, expendability: 5),
        ]
        if let unknown = orders.unknown {
            tiles.append(
                Tile(
                    label: "unknown", value: Formats.count(Double(unknown)),
                    style: unknown > 0 ? Style(.warn, attributes: .bold) : Style(.text), width: 7, expendability: 7))
        }
        tiles.append(
            Tile(
                label: "oversold", value: Formats.count(Double(drift.oversoldUnits)), more: " units", style: calm,
                alarm: drift.oversoldUnits > 0 ? .bad : nil, width: 9, expendability: 0))
        if let lost = drift.lostOrders {
            tiles.append(
                Tile(
                    label: "lost", value: Formats.count(Double(lost)), more: " orders", style: calm,
                    alarm: lost > 0 ? .bad : nil, width: 6, expendability: 0))
        }
        tiles.append(
            Tile(
                label: "drift", value: Formats.count(Double(drift.units)), more: " units", style: calm,
                alarm: drift.units > 0 ? .warn : nil, width: 6, expendability: 0))
        let isBehind = ledger.backlogMilliseconds > 5_000
        tiles.append(
            Tile(
                label: "outbox",
                value: Formats.count(Double(ledger.backlogEntries))
                    + (ledger.backlogEntries > 0 && ledger.backlogMilliseconds > 0
                        ? ", " + canvas.time(milliseconds: Double(ledger.backlogMilliseconds)) : ""),
                short: Formats.count(Double(ledger.backlogEntries)),
                style: isBehind ? Style(.warn, attributes: .bold) : Style(.text), width: 11, expendability: 4))
        if orders.p99Milliseconds != nil {
            tiles.append(
                Tile(
                    label: "p99", value: canvas.time(milliseconds: orders.p99Milliseconds), style: Style(.text),
                    width: 7, expendability: 8))
        }
        if let buyers = orders.buyersPerSecond {
            tiles.append(
                Tile(
                    label: "buyers/s", value: perSecond(buyers), style: Style(buyers == 0 ? .dim : .text), width: 8,
                    expendability: 6))
        }
        return tiles
    }

    /// Where no SQL tells about the sale: what was seen, and what seeing it costs.
    private func foreignTiles(_ foreign: WarRoomSnapshot.Foreign, _ snapshot: WarRoomSnapshot) -> [Tile] {
        let below = snapshot.drift.oversoldUnits
        return [
            Tile(
                label: "seen to go", value: Formats.count(Double(snapshot.orders.accepted)), width: 10, expendability: 3
            ),
            Tile(
                label: "SKUs", value: Formats.count(Double(snapshot.skus.count)), style: Style(.text), width: 7,
                expendability: 2),
            Tile(
                label: "below zero", value: Formats.count(Double(below)), more: " units",
                style: Style(.good, attributes: .bold), alarm: below > 0 ? .bad : nil, width: 10, expendability: 0),
            Tile(
                label: "read within", value: "\(foreign.sweepSeconds) s", style: Style(.text), width: 11,
                expendability: 1),
            Tile(
                label: "reads/s", value: Formats.count(Double(foreign.readsPerSecond)), style: Style(.text), width: 7,
                expendability: 4),
            Tile(
                label: "scan/s",
                value: foreign.scanKeysPerSecond > 0 ? Formats.count(Double(foreign.scanKeysPerSecond)) : "-",
                style: Style(.text), width: 6, expendability: 5),
        ]
    }

    /// Labels over figures, history before them.
    func drawTiles(_ snapshot: WarRoomSnapshot, on canvas: inout Canvas) {
        var tiles = tiles(snapshot, on: canvas)
        let rateWidth = 9
        let graphMin = 8
        func needed(_ gap: Int) -> Int { tiles.reduce(rateWidth + graphMin) { $0 + $1.width + gap } }
        while needed(2) > canvas.width - 2, let worst = tiles.map(\.expendability).max(), worst > 0,
            let victim = tiles.firstIndex(where: { $0.expendability == worst })
        {
            tiles.remove(at: victim)
        }
        let roomy = needed(5) <= canvas.width - 2
        let gap = roomy ? 5 : needed(3) <= canvas.width - 2 ? 3 : 2
        // History takes up to a minute's worth; then the figures spread.
        let spare = canvas.width - 2 - needed(gap)
        let graph = graphMin + min(22, spare / 2)
        let spread = tiles.isEmpty ? 0 : min(canvas.width >= 260 ? 14 : 6, (spare - (graph - graphMin)) / tiles.count)

        canvas.put(1, 0, "sold", Style(.dim))
        let rate = Formats.rate(snapshot.orders.acceptedPerSecond)
        canvas.put(1, 1, rate, Style(.title, attributes: .bold))
        let history = snapshot.orders.history.map(Double.init)
        let area = Rect(x: 1 + rateWidth, y: 0, width: graph, height: 2)
        if history.contains(where: { $0 > 0 }) {
            canvas.graph(area, history, .between(.accent, .second))
        } else {
            canvas.sparkline(area.x, 1, width: graph, Array(repeating: 0, count: graph * 2))
        }
        var x = area.right + gap
        for tile in tiles {
            if gap >= 3 {
                for y in 0..<2 { canvas.put(x - (gap + 1) / 2, y, canvas.glyphs.vertical, Style(.border)) }
            }
            draw(tile, x, width: tile.width + spread, on: &canvas)
            x += tile.width + spread + gap
        }
    }

    private func draw(_ tile: Tile, _ x: Int, width: Int, on canvas: inout Canvas) {
        guard let alarm = tile.alarm else {
            canvas.label(x, 0, width: width, tile.label, Style(.dim))
            let value = SafeText.width(tile.value) <= width ? tile.value : tile.short ?? tile.value
            canvas.label(x, 1, width: width, value, tile.style)
            return
        }
        let fill = Style(.onFill, on: .role(alarm), .bold)
        let long = tile.value + tile.more
        let value = SafeText.width(long) <= width ? long : tile.value
        for (y, text) in [tile.label.uppercased(), value].enumerated() {
            canvas.fill(Rect(x: x - 1, y: y, width: width + 1, height: 1), .role(alarm))
            canvas.label(x, y, width: width, text, fill)
        }
    }

    /// Labels beside figures, in one row: for a terminal of few rows.
    func drawFigures(_ snapshot: WarRoomSnapshot, on canvas: inout Canvas) {
        var tiles = tiles(snapshot, on: canvas)
        let rate = Formats.rate(snapshot.orders.acceptedPerSecond)
        func size(_ tile: Tile) -> Int { tile.label.count + 1 + SafeText.width(tile.value) + 2 }
        func needed() -> Int { tiles.reduce(5 + 7) { $0 + size($1) } }
        while needed() > canvas.width - 2, let worst = tiles.map(\.expendability).max(), worst > 0,
            let victim = tiles.firstIndex(where: { $0.expendability == worst })
        {
            tiles.remove(at: victim)
        }
        canvas.put(1, 0, [Span("sold ", Style(.dim)), Span(rate, Style(.title, attributes: .bold))])
        var x = 1 + 5 + 7 + 2
        for tile in tiles {
            if let alarm = tile.alarm {
                let fill = Style(.onFill, on: .role(alarm), .bold)
                x = canvas.put(x, 0, tile.label.uppercased() + " " + tile.value, fill) + 2
            } else {
                x = canvas.put(x, 0, [Span(tile.label + " ", Style(.dim)), Span(tile.value, tile.style)]) + 2
            }
        }
    }
}
