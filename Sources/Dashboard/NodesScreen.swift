import Inventory
import Telemetry
import TerminalUI

extension Model {
    /// Every server: its part of the slots, load, latency, errors, memory; below, the one under the cursor in full.
    @discardableResult
    func drawNodesScreen(_ rect: Rect, on canvas: inout Canvas) -> TableHits {
        let snapshot = shown
        let down = snapshot.nodes.count { !$0.isUp }
        var details = [
            snapshot.topology, count(snapshot.nodes.count, "master"),
            count(snapshot.bucketCount, snapshot.foreign == nil ? "bucket" : "slot"),
        ]
        if snapshot.recoveries > 0 {
            details.append(
                snapshot.recoveries == 1 ? "1 recovery" : "\(Formats.grouped(snapshot.recoveries)) recoveries")
        }
        var trailing: [[Span]] = []
        if down > 0 { trailing = [[Span(" \(down) DOWN ", Style(.onFill, on: .bad, .bold))]] }
        if let need = snapshot.needs(.memory, .nodes) { trailing.append([Span(need, Style(.dim))]) }
        let panel = screenPanel(
            details: details, trailing: trailing,
            frame: down > 0 ? .bad : snapshot.fencedBuckets > 0 ? .warn : nil, glyphs: canvas.glyphs)
        let inside = canvas.panel(rect, panel)
        var hits = TableHits()
        canvas.within(inside) { canvas in
            let list = min(snapshot.nodes.count + 1, max(isSmall ? 3 : 4, canvas.height / 2))
            let parts = canvas.bounds.rows([.fixed(list), .share(1)])
            hits = drawNodeTable(parts[0], on: &canvas)
            guard parts[1].height >= 3 else { return }
            canvas.within(parts[1].inset(1, 0)) { drawNodeInFull(on: &$0) }
        }
        return hits
    }

    private func drawNodeTable(_ rect: Rect, on canvas: inout Canvas) -> TableHits {
        let nodes = shown.nodes
        let isRoomy = rect.width >= 130
        var columns: [(TableColumn, (WarRoomSnapshot.Node, Int) -> TableCell)] = []
        func add(
            _ title: String, _ width: Int, _ expendability: Int, left: Bool = false, stretch: Int = 0,
            _ cell: @escaping (WarRoomSnapshot.Node, Int) -> TableCell
        ) {
            columns.append(
                (
                    TableColumn(
                        title, width: width, stretch: stretch, left ? .left : .right, expendability: expendability),
                    cell
                ))
        }
        func number(_ text: String, _ isBad: Bool = false) -> TableCell {
            .text(text, isBad ? Style(.warn, attributes: .bold) : Style(.text))
        }
        let glyphs = canvas.glyphs
        func time(_ milliseconds: Double) -> String {
            guard milliseconds > 0 else { return "-" }
            let text = Formats.duration(seconds: milliseconds / 1_000)
            return glyphs.isUnicode ? text : text.replacing("µ", with: "u")
        }
        add("node", 4, 0) { _, index in .text("\(index + 1)", Style(.title, attributes: .bold)) }
        let isNarrow = rect.width < 60
        if !isNarrow { add("address", 21, 1, left: true) { node, _ in .text(node.address, Style(.text)) } }
        add("state", 13, 0, left: true) { node, _ in
            if !node.isUp {
                return .text(
                    "\(glyphs.down) DOWN " + Formats.duration(seconds: node.sinceSeconds),
                    Style(.bad, attributes: .bold))
            }
            if node.fencedBuckets > 0 {
                let text = "\(node.recoveredBuckets) of \(node.recoveredBuckets + node.fencedBuckets) back"
                return .text(text, Style(.warn, attributes: .bold))
            }
            return .text("up " + Formats.duration(seconds: node.sinceSeconds), Style(.good))
        }
        add("orders/s", 8, 2) { node, _ in .text(perSecond(node.ordersPerSecond), Style(.title, attributes: .bold)) }
        add("calls/s", 7, 5) { node, _ in number(perSecond(node.callsPerSecond)) }
        add("p50", 7, 6) { node, _ in number(time(node.p50Milliseconds)) }
        add("p99", 7, 1) { node, _ in number(time(node.p99Milliseconds), node.p99Milliseconds > 100) }
        add("wait", 4, 7) { node, _ in number("\(node.inFlight)") }
        add("err", 5, 2) { node, _ in number(Formats.count(Double(node.errors)), node.errors > 0) }
        add("memory", 8, 3) { node, _ in number(node.memoryBytes.map { Formats.bytes($0) } ?? "-") }
        add(shown.foreign == nil ? "buckets" : "stocked", 7, 4) { node, _ in number(Formats.grouped(node.buckets)) }
        add("slots", isRoomy ? 18 : 11, 8, left: true, stretch: 1) { node, _ in
            let first =
                node.slots.first.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
                ?? "none"
            return .text(first + (node.slots.count > 1 ? " +\(node.slots.count - 1)" : ""), Style(.dim))
        }
        if nodes.contains(where: { $0.rateLimit != nil }) {
            add("limit", 18, 5, left: true) { node, _ in
                guard let limit = node.rateLimit else { return .text("") }
                let away = limit.turnedAway > 0 ? " -" + Formats.count(Double(limit.turnedAway)) : ""
                return .text("max " + Formats.rate(limit.ordersPerSecond) + away, Style(away.isEmpty ? .dim : .warn))
            }
        }
        let table = Table(
            columns: columns.map(\.0), rowCount: nodes.count, position: position(.nodes), isFocused: dialogs.isEmpty,
            emptyText: "no node serves yet")
        return canvas.placedTable(rect, table) { row, column in columns[column].1(nodes[row], row) }
    }

    private func drawNodeInFull(on canvas: inout Canvas) {
        let index = position(.nodes).cursor
        guard shown.nodes.indices.contains(index) else { return }
        let node = shown.nodes[index]
        canvas.rule(0, "node \(index + 1)  \(node.address)", note: recovery(node))
        let parts = Rect(y: 1, width: canvas.width, height: canvas.height - 1)
        if canvas.width < 60 {
            canvas.within(parts) { drawServer(node, on: &$0) }
            return
        }
        guard canvas.width >= 90 else {
            let half = parts.columns([.share(1), .share(1)], gap: 3)
            canvas.within(half[0]) { drawServer(node, on: &$0) }
            canvas.within(half[1]) { drawReplicasAndBuckets(node, index, on: &$0) }
            return
        }
        let sides = parts.columns([.fixed(40), .share(1)], gap: 3)
        canvas.within(sides[0]) { drawServer(node, on: &$0) }
        canvas.within(sides[1]) { drawReplicasAndBuckets(node, index, on: &$0) }
    }

    /// How far its fenced buckets have come.
    private func recovery(_ node: WarRoomSnapshot.Node) -> String {
        if shown.foreign != nil { return "" }
        guard node.fencedBuckets > 0 else {
            let back = node.recoveredBuckets > 0 ? ", \(Formats.grouped(node.recoveredBuckets)) of them recovered" : ""
            return node.isUp ? "all its buckets are whole" + back : ""
        }
        return
            "\(node.recoveredBuckets) of \(count(node.recoveredBuckets + node.fencedBuckets, "fenced bucket")) open again"
    }

    private func server(_ node: WarRoomSnapshot.Node) -> ServerSight? {
        guard case .nodes(let servers)? = sights[.nodes] else { return nil }
        return servers.first { $0.address == node.address }
    }

    private func drawServer(_ node: WarRoomSnapshot.Node, on canvas: inout Canvas) {
        var facts: [(String, Span)] = []
        func add(_ label: String, _ value: String, _ role: Role = .text) {
            facts.append(
                (label, Span(value, Style(.role(role), attributes: role == .bad || role == .warn ? .bold : []))))
        }
        let server = server(node)
        if let failure = server?.failure ?? (node.isUp ? nil : node.lastError) {
            add("says", SafeText.fitted(failure, width: 32), failure.hasPrefix("needs +") ? .dim : .bad)
        }
        if node.fencedBuckets > 0 { add("fenced", "\(node.fencedBuckets) of \(node.buckets)", .warn) }
        if !node.slots.isEmpty {
            let ranges = node.slots.prefix(2).map {
                $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
            }
            let more = node.slots.count > 2 ? " +\(node.slots.count - 2)" : ""
            add(
                node.slots.count == 1 && node.slots[0].count == 1 ? "slot" : "slots",
                ranges.joined(separator: ", ") + more)
        }
        let all = shown.nodes.reduce(0) { $0 + $1.ordersPerSecond }
        if shown.nodes.count > 1, all > 0 { add("its part of all orders", Formats.percent(node.ordersPerSecond / all)) }
        if let server, server.failure == nil {
            add(
                "Redis",
                server.version
                    + (server.uptimeSeconds.map { "  up " + canvas.own(Formats.duration(seconds: $0)) } ?? ""))
            add("append-only file", server.appendOnly.isEmpty ? "?" : server.appendOnly)
            add(
                "eviction", server.evictionPolicy.isEmpty ? "?" : server.evictionPolicy,
                server.evictionPolicy == "noeviction" || server.evictionPolicy.isEmpty ? .text : .bad)
            let limit = server.memoryLimitBytes.map { " of " + Formats.bytes($0) } ?? ", no limit"
            add("memory", (server.memoryBytes.map { Formats.bytes($0) } ?? "?") + limit)
            add("evicted keys", Formats.grouped(server.evictedKeys ?? 0), (server.evictedKeys ?? 0) > 0 ? .bad : .text)
            add("expired keys", Formats.grouped(server.expiredKeys ?? 0), (server.expiredKeys ?? 0) > 0 ? .warn : .text)
            add("clients", server.clients.map { Formats.grouped($0) } ?? "?")
            add("commands a second", server.commandsPerSecond.map { perSecond($0) } ?? "?")
        } else if server == nil {
            add("server", waiting(for: .nodes), .dim)
        }
        if let limit = node.rateLimit {
            add("rate limit", "max " + Formats.rate(limit.ordersPerSecond))
            add("turned away", Formats.grouped(limit.turnedAway), limit.turnedAway > 0 ? .warn : .text)
        }
        for (line, fact) in facts.prefix(canvas.height).enumerated() {
            canvas.pair(0, line, width: canvas.width, fact.0, [fact.1])
        }
    }

    private func drawReplicasAndBuckets(_ node: WarRoomSnapshot.Node, _ index: Int, on canvas: inout Canvas) {
        var y = 0
        if node.fencedBuckets > 0 {
            let share = Double(node.recoveredBuckets) / Double(node.recoveredBuckets + node.fencedBuckets)
            let text = "recovering \(Formats.percent(share)) "
            canvas.put(0, y, text, Style(.warn, attributes: .bold))
            canvas.gauge(text.count, y, width: canvas.width - text.count, share, .solid(.warn))
            y += 1
        }
        if let server = server(node), server.failure == nil {
            if server.replicas.isEmpty {
                canvas.put(0, y, "no replica follows it", Style(.dim))
                y += 1
            }
            for replica in server.replicas where y < canvas.height {
                let behind = replica.behindBytes.map { $0 == 0 ? "in step" : Formats.bytes($0) + " behind" } ?? "?"
                let state = replica.isOnline ? behind : "NOT ONLINE"
                canvas.fit(
                    0, y, width: canvas.width,
                    [
                        Span("replica ", Style(.dim)),
                        Span(state, replica.isOnline ? Style(.good) : Style(.bad, attributes: .bold)),
                        Span("  " + replica.address, Style(.text)),
                    ])
                y += 1
            }
        }
        guard y + 2 < canvas.height else { return }
        // Fenced ones first, then by rate; as many as are in sight.
        let all = shown.buckets
        let buckets = RowSort.largest(all.count, limit: canvas.height) { position in
            let bucket = all[position]
            return bucket.node != index ? -1 : bucket.ordersPerSecond + (bucket.fenced ? 1e15 : 0)
        }.map { all[$0] }.filter { $0.node == index }
        if shown.foreign != nil { return drawSlots(buckets, y, on: &canvas) }
        let columns = [
            TableColumn("tag", width: 8), TableColumn("slot", width: 6, .right),
            TableColumn("/s", width: 6, .right), TableColumn("epoch", width: 8, .right, expendability: 1),
            TableColumn("outbox", width: 7, .right, expendability: 2),
            TableColumn("SKUs", width: 5, .right, expendability: 3),
            TableColumn("state", width: 14, stretch: 1),
            TableColumn("hottest SKUs", width: 26, stretch: 2, expendability: 4),
        ]
        let table = Table(
            columns: columns, rowCount: buckets.count, showsCursor: false, emptyText: "no bucket lies on it")
        _ = canvas.placedTable(Rect(y: y, width: canvas.width, height: canvas.height - y), table) { row, column in
            let bucket = buckets[row]
            switch column {
            case 0: return .text(bucket.tag, Style(.text))
            case 1: return .text("\(bucket.slot)", Style(.dim))
            case 2: return .text(perSecond(bucket.ordersPerSecond), Style(bucket.ordersPerSecond > 0 ? .title : .faint))
            case 3: return .text(bucket.epoch.map { "\($0)" } ?? "?", Style(.dim))
            case 4: return .text(Formats.count(Double(bucket.backlog)), Style(.dim))
            case 5: return .text("\(bucket.skuCount)", Style(.dim))
            case 7: return .text(bucket.skus.joined(separator: " "), Style(.dim))
            default:
                return bucket.fenced
                    ? .text("FENCED " + (bucket.fence ?? ""), Style(.warn, attributes: .bold))
                    : .text(shown.saleState == .open ? "sells" : "ready", Style(.good))
            }
        }
    }
    /// Where somebody else's keys lie: they have no epochs and no outbox.
    private func drawSlots(_ slots: [WarRoomSnapshot.Bucket], _ y: Int, on canvas: inout Canvas) {
        let columns = [
            TableColumn("slot", width: 6, .right), TableColumn("/s", width: 6, .right),
            TableColumn("SKUs", width: 6, .right), TableColumn("hottest", width: 12, stretch: 1),
        ]
        let table = Table(columns: columns, rowCount: slots.count, showsCursor: false, emptyText: "no stock lies on it")
        _ = canvas.placedTable(Rect(y: y, width: canvas.width, height: canvas.height - y), table) { row, column in
            let slot = slots[row]
            switch column {
            case 0: return .text("\(slot.slot)", Style(.dim))
            case 1: return .text(perSecond(slot.ordersPerSecond), Style(slot.ordersPerSecond > 0 ? .title : .faint))
            case 2: return .text("\(slot.skuCount)", Style(.dim))
            default: return .text(slot.skus.isEmpty ? slot.tag : slot.skus.joined(separator: " "), Style(.text))
            }
        }
    }
}
