import Inventory
import Telemetry
import TerminalUI

/// What is possible now: footers, borders and the palette offer that and nothing else.
extension Model {
    /// The keys that would do something now.
    var keys: KeyTable<KeyContext, Intent> { Keys.table(permissions).without { !isPossible($0) } }

    /// Whether the sale, as the newest snapshot has it, lets a key do what it means.
    func isPossible(_ intent: Intent) -> Bool {
        let isOurs = snapshot.foreign == nil
        let isRunning = isOurs && !snapshot.phase.isStarting
        let isClosed = snapshot.saleState == .closed
        switch intent {
        case .openSale:
            guard isRunning, !isClosed else { return false }
            return snapshot.saleState != .open
                || permissions.canOpenWithBuyers && (snapshot.orders.buyersPerSecond ?? 0) == 0
        case .halt: return isOurs && !isClosed
        case .freeze, .restock: return isRunning && !isClosed
        case .mark, .markAll: return isRunning && !isClosed && !permissions.isReadOnly
        case .undo: return isRunning && !isClosed && undo != nil
        case .closeSale, .compare: return isRunning
        case .cancelOpening: return snapshot.opening != nil
        case .crash: return isRunning && !snapshot.nodes.isEmpty
        case .applyPlan: return (lastPlan?.repairs ?? 0) > 0
        case .settle:
            return isRunning && (snapshot.drift.oversoldUnits > 0 || snapshot.counts.overCapacity > 0 || hasLosers)
        case .orderKind, .findOrder: return isOurs
        case .open:
            switch screen {
            case .ledger: return !largestLedgers.isEmpty
            case .drift: return !shown.drift.findings.isEmpty
            case .orders: return isOurs && !listedOrders.isEmpty
            case .stock: return !list.order.isEmpty
            default: return true
            }
        default: return true
        }
    }

    /// Why an act on one SKU or several cannot be; `nil` where it can.
    func whyNoActOnSKUs(_ intent: Intent) -> String? {
        switch intent {
        case .freeze, .restock, .undo:
            if snapshot.saleState == .closed { return "the sale is closed: its SKUs stay as they are" }
            if snapshot.phase.isStarting { return "still starting: there is no SKU yet" }
            return nil
        default: return nil
        }
    }
}
