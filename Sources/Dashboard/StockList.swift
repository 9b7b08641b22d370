import Inventory
import Telemetry

/// By what the stock table is sorted.
enum SortColumn: Int, Sendable, CaseIterable, Hashable {
    case rate, left, sold, share, sku, name, state

    /// As the panel's title says it.
    var title: String {
        switch self {
        case .rate: "rate"
        case .left: "left"
        case .sold: "sold"
        case .share: "sold %"
        case .sku: "SKU"
        case .name: "name"
        case .state: "state"
        }
    }

    /// Whether large values come first when the column is chosen.
    var startsDescending: Bool {
        switch self {
        case .rate, .sold, .share, .state: true
        case .left, .sku, .name: false
        }
    }
}

/// The stock table's rows in their order, and its cursor.
///
/// Rows are positions in the snapshot's `skus`. They are sorted and filtered when the hand changes something, and otherwise at
/// most twice a second (rates change once): rows that jump ten times a second cannot be read, and 100,000 of them cost.
struct StockList: Sendable {
    static let secondsBetweenSorts = 0.5

    private(set) var order: [Int32] = []
    private(set) var sort: SortColumn = .rate
    private(set) var isDescending = true
    private(set) var filter = StockFilter("")
    /// The SKU that the cursor is bound to; `nil`: the cursor stays on the first row, whoever stands there.
    private(set) var bound: SKUNumber?
    private(set) var cursorRow = 0
    /// The first row in sight.
    private(set) var offset = 0
    /// How often rows were sorted: for tests of cost.
    private(set) var passes = 0

    private var arrangedAt = -Double.infinity
    private var catalogue = CatalogueStamp()
    private var textRanks: [SortColumn: [UInt64]] = [:]

    /// Tells whether two snapshots list the same SKUs in the same order, without comparing 100,000 names.
    private struct CatalogueStamp: Equatable, Sendable {
        var count = 0
        var first: SKUNumber?
        var middle: SKUNumber?
        var last: SKUNumber?

        init() {}

        init(_ skus: [WarRoomSnapshot.SKU]) {
            count = skus.count
            first = skus.first?.number
            middle = skus.isEmpty ? nil : skus[skus.count / 2].number
            last = skus.last?.number
        }
    }

    /// The position in `skus` of the SKU under the cursor.
    var cursorIndex: Int? { order.indices.contains(cursorRow) ? Int(order[cursorRow]) : nil }

    // MARK: Order

    /// Takes a snapshot; sorts only when the catalogue changed or the last sort is a second old.
    mutating func take(_ snapshot: WarRoomSnapshot, now: Double) {
        let stamp = CatalogueStamp(snapshot.skus)
        if stamp != catalogue || now - arrangedAt >= Self.secondsBetweenSorts || now < arrangedAt {
            arrange(snapshot, now: now)
        }
    }

    /// Sorts and filters now.
    mutating func arrange(_ snapshot: WarRoomSnapshot, now: Double) {
        let skus = snapshot.skus
        let stamp = CatalogueStamp(skus)
        if stamp != catalogue {
            catalogue = stamp
            textRanks = [:]
        }
        passes += 1
        arrangedAt = now
        let keys = self.keys(skus)
        var rows: [(key: UInt64, index: Int32)] = []
        rows.reserveCapacity(filter.isEmpty ? skus.count : 1_024)
        for index in skus.indices where filter.isEmpty || filter.matches(skus[index]) {
            rows.append((keys[index], Int32(index)))
        }
        rows.sort { $0.key != $1.key ? $0.key < $1.key : $0.index < $1.index }
        order = rows.map(\.index)
        follow(skus)
    }

    /// A number for each SKU by which ascending order is the order wanted.
    private mutating func keys(_ skus: [WarRoomSnapshot.SKU]) -> [UInt64] {
        let flip: UInt64 = isDescending ? .max : 0
        switch sort {
        case .rate: return skus.map { Self.sortable($0.unitsPerSecond) ^ flip }
        // What does not answer stands after what does, either way.
        case .left: return skus.map { sku in sku.stock.map { Self.sortable(Double($0)) ^ flip } ?? .max }
        case .sold: return skus.map { Self.sortable(Double($0.taken)) ^ flip }
        case .share: return skus.map { Self.sortable($0.soldShare) ^ flip }
        case .state: return skus.map { UInt64($0.state.rank) ^ flip }
        case .sku, .name:
            if textRanks[sort] == nil { textRanks[sort] = Self.ranks(skus, by: sort) }
            return (textRanks[sort] ?? []).map { $0 ^ flip }
        }
    }

    /// The bits of a double, so changed that their order is the numbers' order. NaN sorts lowest.
    private static func sortable(_ value: Double) -> UInt64 {
        if value.isNaN { return 0 }
        let bits = (value == 0 ? 0 : value).bitPattern
        return bits >> 63 == 1 ? ~bits : bits | 1 << 63
    }

    private static func ranks(_ skus: [WarRoomSnapshot.SKU], by column: SortColumn) -> [UInt64] {
        let sorted = skus.indices.sorted {
            column == .sku ? skus[$0].sku < skus[$1].sku : skus[$0].name < skus[$1].name
        }
        var ranks = [UInt64](repeating: 0, count: skus.count)
        for (rank, index) in sorted.enumerated() { ranks[index] = UInt64(rank) }
        return ranks
    }

    /// Chooses a column; choosing it again reverses it.
    mutating func choose(_ column: SortColumn) {
        if column == sort {
            isDescending.toggle()
        } else {
            (sort, isDescending) = (column, column.startsDescending)
        }
    }

    mutating func nextSort() {
        let columns = SortColumn.allCases
        choose(columns[(sort.rawValue + 1) % columns.count])
    }

    mutating func reverse() { isDescending.toggle() }

    mutating func setFilter(_ text: String) { filter = StockFilter(text) }

    // MARK: Cursor

    /// Finds the bound SKU again after rows moved.
    private mutating func follow(_ skus: [WarRoomSnapshot.SKU]) {
        guard let bound else {
            cursorRow = 0
            return
        }
        if let row = order.firstIndex(where: { skus[Int($0)].number == bound }) {
            cursorRow = row
        } else {
            // Filtered away: the cursor goes to what stands there now, and is bound to that.
            cursorRow = min(cursorRow, max(0, order.count - 1))
            self.bound = cursorIndex.map { skus[$0].number }
        }
    }

    /// Moves the cursor to a row and binds it to the SKU there.
    mutating func moveCursor(to row: Int, _ skus: [WarRoomSnapshot.SKU]) {
        guard !order.isEmpty else { return }
        cursorRow = min(max(0, row), order.count - 1)
        bound = cursorIndex.map { skus[$0].number }
    }

    /// Lets go of the SKU: the cursor goes to the first row and stays there.
    mutating func unbind() {
        bound = nil
        cursorRow = 0
        offset = 0
    }

    /// Keeps the cursor in sight of so many rows.
    mutating func settle(visible: Int) {
        let page = max(1, visible)
        offset = min(max(0, offset), max(0, order.count - page))
        offset = min(offset, cursorRow)
        if cursorRow >= offset + page { offset = cursorRow - page + 1 }
    }
}
