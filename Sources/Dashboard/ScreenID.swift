public import Inventory

/// A whole screen. The overview holds small panels; every other screen fills the terminal below the header, and closing it comes back
/// to the one it was opened from.
public enum ScreenID: Sendable, Hashable {
    case overview, stock
    /// One SKU: its time line, ledger, orders, drift, acts.
    case sku(SKUNumber)
    case ledger, heat, drift, events, nodes, orders, audit

    /// Screens that a digit opens, in the order of their digits.
    static let numbered: [ScreenID] = [.stock, .ledger, .heat, .drift, .events, .nodes, .orders, .audit]

    /// Its digit; none for the overview and a single SKU.
    var number: Int? { Self.numbered.firstIndex(of: self).map { $0 + 1 } }

    /// Its name in its border and in the palette.
    var title: String {
        switch self {
        case .overview: "overview"
        case .stock: "stock"
        case .sku: "SKU"
        case .ledger: "ledger"
        case .heat: "heat"
        case .drift: "drift"
        case .events: "events"
        case .nodes: "nodes"
        case .orders: "orders"
        case .audit: "audit"
        }
    }

    /// What it shows, for help and palette.
    var purpose: String {
        switch self {
        case .overview: "everything at one glance"
        case .stock: "every SKU: left, sold, rate, state"
        case .sku: "one SKU: time line, ledger, orders, drift, acts"
        case .ledger: "growth, backlog, lag, memory, largest ledgers, dead letters"
        case .heat: "load over the 16,384 slots, tags, nodes"
        case .drift: "whether the books agree, by kind over time; what would mend them"
        case .events: "what happened, in sentences"
        case .nodes: "servers: replicas, latency, errors, memory, epochs, recovery"
        case .orders: "orders by state; find one by its id"
        case .audit: "who did what, before and after"
        }
    }

    /// The panel of the overview that it is the large form of.
    var panel: PanelID? {
        switch self {
        case .stock, .sku: .stock
        case .ledger: .ledger
        case .heat: .heat
        case .drift: .drift
        case .events: .events
        case .overview, .nodes, .orders, .audit: nil
        }
    }

    /// Where keys are looked up first while it is open.
    var context: KeyContext {
        switch self {
        case .overview: .overview
        case .stock: .stock
        case .sku: .sku
        case .ledger: .ledgers
        case .heat: .slots
        case .drift: .findings
        case .events: .events
        case .nodes: .servers
        case .orders: .orders
        case .audit: .audit
        }
    }
}

extension PanelID {
    /// Its large form.
    var screen: ScreenID {
        switch self {
        case .stock: .stock
        case .ledger: .ledger
        case .heat: .heat
        case .drift: .drift
        case .events: .events
        }
    }
}
