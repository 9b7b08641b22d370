import Inventory
import Telemetry
import TerminalUI

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
    /// Rows sorted by rate are sorted again this soon where the rates that they show have changed: else half a second of each second
    /// shows them in an order that is not theirs.
    static let secondsBetweenRateSorts = 0.2
    /// The widest SKU that a column is made for.
    static let skuWidthMax = 24
    /// SKUs that one act may name.
    static let marksMax = 1_000

    private(set) var order: [Int32] = []
    private(set) var sort: SortColumn = .rate
    private(set) var isDescending = true
    private(set) var filter = StockFilter()
    /// What bulk acts act on.
    private(set) var marks: Set<SKUNumber> = []
    /// The SKU that the cursor is bound to; `nil`: the cursor stays on the first row, whoever stands there.
    private(set) var bound: SKUNumber?
    private(set) var cursorRow = 0
    /// The first row in sight.
    private(set) var offset = 0
    /// How often rows were sorted: for tests of cost.
    private(set) var passes = 0

    /// Cells that the widest SKU of the whole catalogue takes, at most ``skuWidthMax``: a column that widens as rows come into
    /// sight would make the others jump.
    private(set) var skuWidth = 4
    /// The rates of the first rows in sight when they were sorted.
    private var ratesSorted: [Double] = []
    private var arrangedAt = -Double.infinity
    private var catalogue = CatalogueStamp()
    private var textRanks: [SortColumn: [UInt64]] = [:]
    private var filtering = FilterCache()

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
        let age = now - arrangedAt
        let isDue = age >= Self.secondsBetweenSorts || age >= Self.secondsBetweenRateSorts && ratesDiffer(snapshot.skus)
        if stamp != catalogue || isDue || now < arrangedAt {
            arrange(snapshot, now: now)
            // Ranking 100,000 names takes longer than a key may: so it is done before anybody asks.
            if let missing = [SortColumn.name, .sku].first(where: { textRanks[$0] == nil }) {
                rank(snapshot.skus, by: missing)
            }
        }
    }

    /// Whether rows sorted by rate show other rates than those they were sorted by.
    private func ratesDiffer(_ skus: [WarRoomSnapshot.SKU]) -> Bool {
        sort == .rate && ratesInSight(skus) != ratesSorted
    }

    private func ratesInSight(_ skus: [WarRoomSnapshot.SKU]) -> [Double] {
        order.dropFirst(offset).prefix(Self.ratesCompared).compactMap { row in
            skus.indices.contains(Int(row)) ? skus[Int(row)].unitsPerSecond : nil
        }
    }

    private static let ratesCompared = 64

    private mutating func rank(_ skus: [WarRoomSnapshot.SKU], by column: SortColumn) {
        textRanks[column] = RowSort.ranks(skus.map { column == .sku ? $0.sku : $0.name })
    }

    /// Sorts and filters now.
    mutating func arrange(_ snapshot: WarRoomSnapshot, now: Double) {
        let skus = snapshot.skus
        let stamp = CatalogueStamp(skus)
        if stamp != catalogue {
            catalogue = stamp
            textRanks = [:]
            filtering.forget()
            skuWidth = Self.widest(skus)
            if !marks.isEmpty { marks.formIntersection(skus.map(\.number)) }
        }
        passes += 1
        arrangedAt = now
        let rows = filter.isEmpty ? skus.indices.map { Int32($0) } : filtering.rows(of: skus, filter)
        order = RowSort.sorted(rows, keys: keys(skus))
        ratesSorted = ratesInSight(skus)
        follow(skus)
    }

    /// Only a SKU of more bytes than the widest so far can be wider: of 100,000 SKUs few are measured.
    private static func widest(_ skus: [WarRoomSnapshot.SKU]) -> Int {
        var widest = 4
        for sku in skus where sku.sku.utf8.count > widest {
            widest = max(widest, SafeText.width(SafeText.fitted(sku.sku, width: skuWidthMax)))
            if widest >= skuWidthMax { break }
        }
        return widest
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
            if textRanks[sort] == nil { rank(skus, by: sort) }
            return (textRanks[sort] ?? []).map { $0 ^ flip }
        }
    }

    /// The bits of a double, so changed that their order is the numbers' order. NaN sorts lowest.
    private static func sortable(_ value: Double) -> UInt64 {
        if value.isNaN { return 0 }
        let bits = (value == 0 ? 0 : value).bitPattern
        return bits >> 63 == 1 ? ~bits : bits | 1 << 63
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

    mutating func setSort(_ column: SortColumn, descending: Bool? = nil) {
        (sort, isDescending) = (column, descending ?? column.startsDescending)
    }

    mutating func setFilter(_ wanted: StockFilter) { filter = wanted }

    // MARK: Marks

    /// Marks the SKU under the cursor, or takes its mark away, and goes to the next row.
    mutating func toggleMark(_ skus: [WarRoomSnapshot.SKU]) {
        guard let index = cursorIndex else { return }
        let number = skus[index].number
        if marks.remove(number) == nil { marks.insert(number) }
        moveCursor(to: cursorRow + 1, skus)
    }

    /// Marks every row that the filter lets through, at most ``marksMax``; where all are marked, takes the marks away.
    /// - Returns: whether some stayed without a mark because there are too many.
    mutating func markAll(_ skus: [WarRoomSnapshot.SKU]) -> Bool {
        let rows = order.prefix(Self.marksMax).map { skus[Int($0)].number }
        if marks.isSuperset(of: rows) { marks.subtract(rows) } else { marks.formUnion(rows) }
        return order.count > Self.marksMax
    }

    mutating func unmark() { marks = [] }

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

    /// Puts the cursor on a SKU, if it has a row.
    mutating func bind(to number: SKUNumber, _ skus: [WarRoomSnapshot.SKU]) {
        guard let row = order.firstIndex(where: { skus[Int($0)].number == number }) else { return }
        moveCursor(to: row, skus)
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
