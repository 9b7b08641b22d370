import Inventory
import Telemetry
import TerminalUI

/// Whether an answer is awaited, and since when.
struct LookState: Sendable, Hashable {
    var askedAt: Double
    var isAwaited: Bool
}

extension Model {
    /// What the screen that is open wants to know, if anything.
    var wantedLooks: [Look] {
        switch screen {
        case .sku(let number): [.sku(number)]
        case .orders: [.orders(orderKind)] + (foundOrder.map { [.order($0.id)] } ?? [])
        case .audit: [.audit]
        case .nodes: [.nodes]
        case .drift: [.losers]
        case .overview, .stock, .ledger, .heat, .events: []
        }
    }

    /// Seconds between two looks, while a screen stays open.
    static let secondsBetweenLooks = 2.0
    /// An answer that has not come after so many seconds is asked for again.
    static let secondsOfPatience = 10.0
    /// Answers that are kept.
    static let sightsMax = 8

    /// Asks for what the screen wants to know, unless it has just been asked for.
    mutating func look() -> [Effect] {
        wantedLooks.filter { !isFresh($0, seconds: 0.3) }.map { ask($0) }
    }

    /// Asks again for what has grown old; nothing while the screen is held.
    mutating func lookAgain() -> [Effect] {
        guard held == nil, !isTooSmall else { return [] }
        let wanted = wantedLooks
        if sights.count > Self.sightsMax { sights = sights.filter { wanted.contains($0.key) } }
        if looks.count > Self.sightsMax { looks = looks.filter { wanted.contains($0.key) } }
        return wanted.filter { !isFresh($0, seconds: Self.secondsBetweenLooks) }.map { ask($0) }
    }

    mutating func ask(_ look: Look) -> Effect {
        looks[look] = LookState(askedAt: now, isAwaited: true)
        return .look(look)
    }

    private func isFresh(_ look: Look, seconds: Double) -> Bool {
        guard let state = looks[look] else { return false }
        let age = now - state.askedAt
        return age >= 0 && age < (state.isAwaited ? Self.secondsOfPatience : seconds)
    }

    // MARK: What stands under the cursor

    /// The SKU under the stock list's cursor, as it is drawn at this moment.
    var listSubject: WarRoomSnapshot.SKU? {
        let skus = shown.skus
        return list.cursorIndex.flatMap { skus.indices.contains($0) ? skus[$0] : nil }
    }

    /// The SKU that an act of this screen is about.
    var subject: WarRoomSnapshot.SKU? {
        switch screen {
        case .overview, .stock: listSubject
        case .sku(let number): sku(number)
        case .ledger: rowOfLedgers(position(.ledger).cursor).flatMap { shown.skus[$0] }
        case .drift: skuNamed(in: findingUnderCursor)
        case .orders: orderUnderCursor?.lines.first.flatMap { sku($0.sku) }
        case .heat: bucketUnderCursor?.skus.first.flatMap { name in shown.skus.first { $0.sku == name } }
        case .events, .nodes, .audit: nil
        }
    }

    func sku(_ number: SKUNumber) -> WarRoomSnapshot.SKU? { sku(number, in: shown) }

    /// The same of one snapshot.
    func sku(_ number: SKUNumber, in snapshot: WarRoomSnapshot) -> WarRoomSnapshot.SKU? {
        let skus = snapshot.skus
        // Numbers are given out in order: most are where their number says.
        let guess = Int(number.rawValue) - Int(skus.first?.number.rawValue ?? 0)
        if skus.indices.contains(guess), skus[guess].number == number { return skus[guess] }
        return skus.first { $0.number == number }
    }

    /// The SKU with which a finding begins: `1001 Trail Runner 42: …`.
    func skuNamed(in finding: String?) -> WarRoomSnapshot.SKU? {
        guard let finding else { return nil }
        let head = finding.prefix { $0 != " " && $0 != ":" }
        return shown.skus.first { $0.sku == head }
    }

    var findingUnderCursor: String? {
        let findings = shown.drift.findings
        let row = position(.drift).cursor
        return findings.indices.contains(row) ? findings[row] : nil
    }

    /// The orders that are listed, newest first; the one that was asked for stands first.
    var listedOrders: [OrderSight] {
        var orders: [OrderSight] = []
        if let found = foundOrder, case .order(let order?)? = sights[.order(found.id)] { orders.append(order) }
        if case .orders(let newest)? = sights[.orders(orderKind)] {
            orders += newest.filter { order in !orders.contains { $0.flow == order.flow } }
        }
        return orders
    }

    var orderUnderCursor: OrderSight? {
        let orders = listedOrders
        let row = position(.orders).cursor
        return orders.indices.contains(row) ? orders[row] : nil
    }

    mutating func nextOrderKind() -> [Effect] {
        let all = OrderKind.allCases
        if let kind = orderKind, let index = all.firstIndex(of: kind) {
            orderKind = index + 1 < all.count ? all[index + 1] : nil
        } else {
            orderKind = all[0]
        }
        positions[.orders] = nil
        foundOrder = nil
        return look()
    }

    // MARK: The cursor and what comes and goes under it

    /// What stands under the cursor of a list that changes by itself; `nil` on its first row, where the cursor follows the top.
    var anchor: String? {
        let row = position(screen).cursor
        guard row > 0 else { return nil }
        switch screen {
        case .orders: return orderUnderCursor?.flow
        case .audit: return auditRows.indices.contains(row) ? auditRows[row].anchor : nil
        case .drift: return findingUnderCursor
        case .ledger: return rowOfLedgers(row).map { shown.skus[$0].sku }
        default: return nil
        }
    }

    /// Puts the cursor back on what it stood on, where that is still listed.
    mutating func hold(_ anchor: String?) {
        guard let anchor else { return }
        let row: Int? =
            switch screen {
            case .orders: listedOrders.firstIndex { $0.flow == anchor }
            case .audit: auditRows.firstIndex { $0.anchor == anchor }
            case .drift: shown.drift.findings.firstIndex(of: anchor)
            case .ledger: largestLedgers.indices.first { rowOfLedgers($0).map { shown.skus[$0].sku } == anchor }
            default: nil
            }
        if let row { positions[screen.slot, default: ListPosition()].cursor = row }
    }

    // MARK: Rows

    /// Rows of a screen's list.
    func rowCount(_ screen: ScreenID) -> Int {
        switch screen {
        case .overview: 0
        case .stock: list.order.count
        case .sku(let number):
            switch sights[.sku(self.screen == screen ? number : skuShown ?? number)] {
            case .sku(let sight)?: sight.entries.count
            default: 0
            }
        case .ledger: largestLedgers.count
        case .heat: max(shown.nodes.count + shown.hottestTags.count, 1)
        case .drift: shown.drift.findings.count
        case .events: shown.events.count
        case .nodes: shown.nodes.count
        case .orders: listedOrders.count
        case .audit: auditRows.count
        }
    }

    /// The SKU of the screen that is open.
    var skuShown: SKUNumber? { if case .sku(let number) = screen { number } else { nil } }

    var auditRows: [AuditSight] { if case .audit(let rows)? = sights[.audit] { rows } else { [] } }

    /// About how many rows of the open screen's list are in sight: for paging.
    var screenRowsVisible: Int {
        // Where there are few, a guess would make the list jump at each step; and drawing so little costs nothing.
        isSmall ? max(1, rowHits(Layout(self).body)?.body.height ?? rows - 8) : max(1, rows - 12)
    }
}

extension AuditSight {
    /// Tells one row from another.
    var anchor: String { "\(atMilliseconds) \(who) \(what) \(subject)" }
}
