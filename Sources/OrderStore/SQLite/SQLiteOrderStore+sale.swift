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
            var numbers: [String: Int64] = [:]
            let bucketStatement = try database.cachedStatement(
                sql: "INSERT INTO buckets (number, sale, tag) VALUES (?, 1, ?)")
            let skuStatement = try database.cachedStatement(
                sql: "INSERT INTO skus (number, sale, bucket, sku, name, limitPerBuyer) VALUES (?, 1, ?, ?, ?, ?)")
            let counterStatement = try database.cachedStatement(
                sql: "INSERT INTO counters (sku, bucket, allocated) VALUES (?, ?, ?)")
            for (position, sku) in draft.skus.enumerated() {
                let bucket = numbers[sku.tag] ?? Int64(numbers.count + 1)
                if numbers[sku.tag] == nil {
                    numbers[sku.tag] = bucket
                    try bucketStatement.execute(arguments: [bucket, sku.tag])
                }
                try skuStatement.execute(arguments: [position + 1, bucket, sku.sku, sku.name, sku.limitPerBuyer])
                try counterStatement.execute(arguments: [position + 1, bucket, sku.allocated])
            }
            return try Self.requireSale(database)
        }
    }

    private static func check(_ draft: SaleDraft) throws(OrderStoreError) {
        func refuse(_ text: String) -> OrderStoreError { OrderStoreError(.refused, "cannot create the sale: \(text)") }
        guard !draft.name.utf8.isEmpty, draft.name.utf8.count <= Catalogue.nameBytesMax else {
            throw refuse("its name has \(draft.name.utf8.count) bytes; give it 1 to \(Catalogue.nameBytesMax)")
        }
        guard !draft.skus.isEmpty, draft.skus.count <= Int(TransactionBooks.skuNumberMax) else {
            throw refuse("it has \(draft.skus.count) SKUs; give it 1 to \(TransactionBooks.skuNumberMax)")
        }
        if let timeout = draft.reservationTimeoutMilliseconds, !(1...timeoutMillisecondsMax).contains(timeout) {
            throw refuse("its reservations last \(timeout) ms; give them 1 ms to 100 years, or no deadline")
        }
        var seen: Set<[UInt8]> = []
        for sku in draft.skus {
            let shown = SQLiteErrors.printable(String(sku.sku.prefix(60)))
            guard (1...Catalogue.skuBytesMax).contains(sku.sku.utf8.count), !sku.sku.utf8.contains(0) else {
                throw refuse("SKU '\(shown)' must have 1 to \(Catalogue.skuBytesMax) bytes and no NUL")
            }
            guard sku.name.utf8.count <= Catalogue.nameBytesMax, !sku.name.utf8.contains(0) else {
                throw refuse("the name of SKU '\(shown)' must have at most \(Catalogue.nameBytesMax) bytes and no NUL")
            }
            guard Catalogue.isValidTag(sku.tag), !sku.tag.utf8.contains(0) else {
                throw refuse("the tag of SKU '\(shown)' must have 1 to \(Catalogue.tagBytesMax) bytes and no brace")
            }
            guard (0...unitsMax).contains(sku.allocated) else {
                throw refuse("SKU '\(shown)' has \(sku.allocated) units; give it 0 to \(unitsMax)")
            }
            guard (1...unitsMax).contains(sku.limitPerBuyer ?? 1) else {
                throw refuse(
                    "a buyer of SKU '\(shown)' may hold \(sku.limitPerBuyer!) units; give 1 to \(unitsMax), or no limit"
                )
            }
            // By bytes: Redis and SQL know nothing of canonically equal texts.
            guard seen.insert(Array(sku.sku.utf8)).inserted else {
                throw refuse("SKU '\(shown)' stands twice; name each once")
            }
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
            let entries = try Row.fetchAll(
                database, cached: "SELECT number, sku, name, bucket, limitPerBuyer FROM skus ORDER BY number"
            )
            .map {
                CatalogueEntry(
                    number: SKUNumber(rawValue: $0[0]), sku: $0[1], name: $0[2],
                    bucket: BucketNumber(rawValue: $0[3]), limitPerBuyer: $0[4])
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

    public func restock(_ sku: SKUNumber, units: Int64) async throws -> Restock {
        try await write { database, _ in
            let row = try Row.fetchOne(
                database, cached: "SELECT bucket, allocated, version FROM counters WHERE sku = ?",
                arguments: [sku.rawValue])
            guard let row else { throw Self.unknown(sku) }
            let bucket: Int32 = row[0]
            let allocated: Int64 = row[1]
            let version: Int64 = row[2]
            guard units >= 1, units <= Self.unitsMax - allocated else {
                throw OrderStoreError(
                    .refused,
                    "cannot restock SKU number \(sku.rawValue) by \(units) units: "
                        + "it has \(allocated), at most \(Self.unitsMax) fit; give 1 or more")
            }
            try database.execute(
                cached: "UPDATE counters SET allocated = allocated + ?, version = version + 1 WHERE sku = ?",
                arguments: [units, sku.rawValue])
            try database.execute(
                cached: "INSERT INTO restocks VALUES (?, ?, ?, ?, NULL, NULL)",
                arguments: [bucket, sku.rawValue, version, units])
            return Restock(sku: sku, fromVersion: version, units: units)
        }
    }

    static func unknown(_ sku: SKUNumber) -> OrderStoreError {
        OrderStoreError(.refused, "SKU number \(sku.rawValue) is not in this sale")
    }
}
