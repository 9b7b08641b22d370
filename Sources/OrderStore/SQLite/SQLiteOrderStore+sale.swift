import GRDB
public import Inventory

/// The sale, its SKUs and buckets, and the acts on them.
extension SQLiteOrderStore {
    /// Units that a SKU can be given.
    static let unitsMax: Int64 = 1_000_000_000_000
    /// A hundred years.
    static let timeoutMillisecondsMax: Int64 = 100 * 366 * 86_400_000

    public func createSale(_ draft: SaleDraft) async throws -> Sale {
        try Self.check(draft)
        return try await write { database, _ in
            guard try Self.fetchSale(database) == nil else {
                throw OrderStoreError(
                    .refused, "this order store holds a sale already; name another file for a new one")
            }
            try database.execute(
                cached: """
                    INSERT INTO sales (id, name, durability, state, whileFenced, reservationTimeout, latePayments, identity)
                    VALUES (1, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    draft.name, draft.durability.rawValue, SaleState.warmed.rawValue, draft.whileFenced.description,
                    draft.reservationTimeoutMilliseconds, draft.latePayments.rawValue, draft.identity.rawValue,
                ])
            try Self.addSKUs(draft.skus, to: database)
            return try Self.requireSale(database)
        }
    }

    /// Writes SKUs and their buckets as they are read.
    private static func addSKUs(_ skus: some Sequence<SaleDraft.SKU>, to database: Database) throws {
        var numbers: [String: Int64] = [:]
        let insertBucket = try SQLiteStatement(database, "INSERT INTO buckets (number, sale, tag) VALUES (?1, 1, ?2)")
        let insertSKU = try SQLiteStatement(
            database, "INSERT INTO skus (number, sale, bucket, sku, name, limitPerBuyer) VALUES (?1, 1, ?2, ?3, ?4, ?5)"
        )
        let insertCounter = try SQLiteStatement(
            database, "INSERT INTO counters (sku, bucket, allocated) VALUES (?1, ?2, ?3)")
        var count: Int64 = 0
        for sku in skus {
            try check(sku)
            count += 1
            guard count <= TransactionBooks.skuNumberMax else {
                throw refusal("it has more SKUs than \(TransactionBooks.skuNumberMax); give it fewer")
            }
            let bucket = numbers[sku.tag] ?? Int64(numbers.count + 1)
            if numbers[sku.tag] == nil {
                numbers[sku.tag] = bucket
                insertBucket.bind(1, bucket)
                insertBucket.bind(copying: sku.tag, at: 2)
                try insertBucket.run()
            }
            insertSKU.bind(1, count)
            insertSKU.bind(2, bucket)
            insertSKU.bind(copying: sku.sku, at: 3)
            insertSKU.bind(copying: sku.name, at: 4)
            if let limit = sku.limitPerBuyer { insertSKU.bind(5, limit) } else { insertSKU.bindNull(5) }
            do {
                try insertSKU.run()
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                // By bytes: Redis and SQL know nothing of canonically equal texts.
                throw refusal("SKU '\(shown(sku))' stands twice; name each once")
            }
            insertCounter.bind(1, count)
            insertCounter.bind(2, bucket)
            insertCounter.bind(3, sku.allocated)
            try insertCounter.run()
        }
        guard count > 0 else {
            throw refusal("it has 0 SKUs; give it 1 to \(TransactionBooks.skuNumberMax)")
        }
    }

    private static func refusal(_ text: String) -> OrderStoreError {
        OrderStoreError(.refused, "cannot create the sale: \(text)")
    }

    private static func shown(_ sku: SaleDraft.SKU) -> String { SQLiteErrors.printable(String(sku.sku.prefix(60))) }

    private static func check(_ draft: SaleDraft) throws(OrderStoreError) {
        guard !draft.name.utf8.isEmpty, draft.name.utf8.count <= Catalogue.nameBytesMax else {
            throw refusal("its name has \(draft.name.utf8.count) bytes; give it 1 to \(Catalogue.nameBytesMax)")
        }
        if let timeout = draft.reservationTimeoutMilliseconds, !(1...timeoutMillisecondsMax).contains(timeout) {
            throw refusal("its reservations last \(timeout) ms; give them 1 ms to 100 years, or no deadline")
        }
    }

    private static func check(_ sku: SaleDraft.SKU) throws(OrderStoreError) {
        guard (1...Catalogue.skuBytesMax).contains(sku.sku.utf8.count), !sku.sku.utf8.contains(0) else {
            throw refusal("SKU '\(shown(sku))' must have 1 to \(Catalogue.skuBytesMax) bytes and no NUL")
        }
        guard sku.name.utf8.count <= Catalogue.nameBytesMax, !sku.name.utf8.contains(0) else {
            throw refusal(
                "the name of SKU '\(shown(sku))' must have at most \(Catalogue.nameBytesMax) bytes and no NUL")
        }
        guard Catalogue.isValidTag(sku.tag), !sku.tag.utf8.contains(0) else {
            throw refusal("the tag of SKU '\(shown(sku))' must have 1 to \(Catalogue.tagBytesMax) bytes and no brace")
        }
        guard (0...unitsMax).contains(sku.allocated) else {
            throw refusal("SKU '\(shown(sku))' has \(sku.allocated) units; give it 0 to \(unitsMax)")
        }
        guard (1...unitsMax).contains(sku.limitPerBuyer ?? 1) else {
            throw refusal(
                "a buyer of SKU '\(shown(sku))' may hold \(sku.limitPerBuyer!) units; give 1 to \(unitsMax), or no limit"
            )
        }
    }

    public func sale() async throws -> Sale? { try await read(Self.fetchSale) }

    static func fetchSale(_ database: Database) throws -> Sale? {
        let sql = """
            SELECT id, name, durability, state, openedAt, whileFenced, reservationTimeout, latePayments FROM sales
            """
        guard let row = try Row.fetchOne(database, cached: sql) else { return nil }
        guard let durability = Durability(rawValue: row[2]), let state = SaleState(rawValue: row[3]),
            let latePayments = LatePaymentPolicy(rawValue: row[7])
        else {
            throw OrderStoreError(
                .refused, "the order store's sale has a durability or state unknown to this version; use a newer one")
        }
        return Sale(
            id: row[0], name: row[1], durability: durability, state: state, openedAtMilliseconds: row[4],
            whileFenced: WhileFenced(row[5] as String) ?? .tryAgain, reservationTimeoutMilliseconds: row[6],
            latePayments: latePayments)
    }

    static func requireSale(_ database: Database) throws -> Sale {
        guard let sale = try fetchSale(database) else {
            throw OrderStoreError(.refused, "the order store holds no sale; create one first")
        }
        return sale
    }

    public func catalogue() async throws -> Catalogue {
        try await read { database in
            var tags: [BucketNumber: String] = [:]
            for row in try Row.fetchAll(database, cached: "SELECT number, tag FROM buckets") {
                tags[BucketNumber(rawValue: row[0])] = row[1]
            }
            var entries: [CatalogueEntry] = []
            entries.reserveCapacity(try Int.fetchOne(database, cached: "SELECT COUNT(*) FROM counters") ?? 0)
            let rows = try SQLiteStatement(
                cachedBy: database, "SELECT number, sku, name, bucket, limitPerBuyer FROM skus ORDER BY number")
            while try rows.next() {
                entries.append(
                    CatalogueEntry(
                        number: SKUNumber(rawValue: rows.int32(0)), sku: rows.text(1), name: rows.text(2),
                        bucket: BucketNumber(rawValue: rows.int32(3)),
                        limitPerBuyer: rows.isNull(4) ? nil : rows.int64(4)))
            }
            let sale = try String.fetchOne(database, cached: "SELECT identity FROM sales")
            return Catalogue(
                entries: entries, tags: tags,
                sale: sale.flatMap { $0.isEmpty ? nil : SaleIdentity(rawValue: $0) })
        }
    }

    public func setSaleState(from: Set<SaleState>, to: SaleState) async throws -> Sale {
        try await write { database, _ in
            let sale = try Self.requireSale(database)
            guard from.contains(sale.state) else { return sale }
            try database.execute(cached: "UPDATE sales SET state = ?", arguments: [to.rawValue])
            if sale.state != to { try database.execute(cached: "UPDATE buckets SET act = act + 1") }
            if to == .open {
                try database.execute(
                    cached: "UPDATE sales SET openedAt = ? WHERE openedAt IS NULL",
                    arguments: [Int64(self.clock.unixMilliseconds)])
            }
            return try Self.requireSale(database)
        }
    }

    public func setFrozen(_ sku: SKUNumber, _ frozen: Bool) async throws -> Bool {
        try await write { database, _ in
            let before = try Bool.fetchOne(
                database, cached: "SELECT frozen FROM counters WHERE sku = ?", arguments: [sku.rawValue])
            guard let before else { throw Self.unknown(sku) }
            try database.execute(
                cached: "UPDATE counters SET frozen = ? WHERE sku = ?", arguments: [frozen, sku.rawValue])
            if before != frozen {
                try database.execute(
                    cached:
                        "UPDATE buckets SET act = act + 1 WHERE number = (SELECT bucket FROM counters WHERE sku = ?)",
                    arguments: [sku.rawValue])
            }
            return before
        }
    }

    static func unknown(_ sku: SKUNumber) -> OrderStoreError {
        OrderStoreError(.refused, "SKU number \(sku.rawValue) is not in this sale")
    }
}
