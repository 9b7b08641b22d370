import GRDB

/// The tables of an order store in SQLite, and how an older file becomes one of today.
///
/// Flows are time-ordered, so `orders`, `items` and `ledger` are appended to (per bucket) and stay dense.
enum SQLiteSchema {
    /// What the header of our files says ("SELO"), so that a file of another program is never written to.
    static let applicationID: Int64 = 0x5345_4C4F

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 first light") { try $0.execute(sql: firstLight) }
        migrator.registerMigration("while fenced") {
            try $0.execute(sql: "ALTER TABLE sales ADD COLUMN whileFenced TEXT NOT NULL DEFAULT 'try-again'")
        }
        migrator.registerMigration("2 order life") { try $0.execute(sql: orderLife) }
        migrator.registerMigration("wide orders") { try $0.execute(sql: WideSchema.tables) }
        migrator.registerMigration("ledger growth and limits") { try $0.execute(sql: ledgerGrowth) }
        migrator.registerMigration("numbers of acts") {
            try $0.execute(sql: "ALTER TABLE buckets ADD COLUMN act INTEGER NOT NULL DEFAULT 0")
        }
        migrator.registerMigration("last sweep") {
            try $0.execute(sql: "ALTER TABLE sales ADD COLUMN sweptAt INTEGER")
        }
        migrator.registerMigration("identity of the sale") {
            // A sale of an older file gets one now; its buckets get it at their next recovery.
            try $0.execute(
                sql: """
                    ALTER TABLE sales ADD COLUMN identity TEXT NOT NULL DEFAULT '';
                    UPDATE sales SET identity = lower(hex(randomblob(16)));
                    """)
        }
        migrator.registerMigration("frozen and limited SKUs") {
            // Whoever keeps acts asks for them four times a second, and a sale may have a million SKUs of which none is frozen.
            try $0.execute(
                sql: """
                    CREATE INDEX frozenSKUs ON counters(bucket, sku) WHERE frozen;
                    CREATE INDEX limitedSKUs ON skus(bucket, limitPerBuyer) WHERE limitPerBuyer IS NOT NULL;
                    """)
        }
        return migrator
    }

    /// - `skus` holds text that never changes; `counters` the numbers that every transaction writes, so that a long name
    ///   does not travel through the log with them.
    /// - `items.kind` repeats what `orders.state` says (0 taken, 1 cancelled or void, 2 over capacity) and `items.n` the
    ///   entry, so that a bucket's fold is one range scan without a look-up a flow.
    /// - `ledger` is append-only: what Redis did, one row an entry and SKU.
    /// - `settled` holds only ids beyond a gap; below `buckets.drainedN` everything is settled.
    /// - `giveBacks` stay after they are done, with the id that did them: an older entry which is settled later must not
    ///   ask for its units a second time.
    private static let firstLight = """
        CREATE TABLE sales(
            id INTEGER PRIMARY KEY CHECK (id = 1),
            name TEXT NOT NULL, durability TEXT NOT NULL, state TEXT NOT NULL, openedAt INTEGER) STRICT;
        CREATE TABLE buckets(
            number INTEGER PRIMARY KEY, sale INTEGER NOT NULL REFERENCES sales(id), tag TEXT NOT NULL UNIQUE,
            epoch INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'new',
            drainedEpoch INTEGER NOT NULL DEFAULT 0, drainedN INTEGER NOT NULL DEFAULT 0) STRICT;
        CREATE TABLE skus(
            number INTEGER PRIMARY KEY, sale INTEGER NOT NULL REFERENCES sales(id),
            bucket INTEGER NOT NULL REFERENCES buckets(number), sku TEXT NOT NULL UNIQUE, name TEXT NOT NULL) STRICT;
        CREATE INDEX skusByBucket ON skus(bucket);
        CREATE TABLE counters(
            sku INTEGER PRIMARY KEY REFERENCES skus(number), bucket INTEGER NOT NULL,
            allocated INTEGER NOT NULL CHECK (allocated >= 0), version INTEGER NOT NULL DEFAULT 0,
            sold INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0), reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
            overCapacity INTEGER NOT NULL DEFAULT 0 CHECK (overCapacity >= 0), frozen INTEGER NOT NULL DEFAULT 0,
            CHECK (sold + reserved <= allocated)) STRICT;
        CREATE TABLE epochCounter(only INTEGER PRIMARY KEY CHECK (only = 1), last INTEGER NOT NULL) STRICT;
        INSERT INTO epochCounter VALUES (1, 0);
        CREATE TABLE epochs(
            epoch INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, claimant TEXT NOT NULL,
            claimedAt INTEGER NOT NULL, openedAt INTEGER) STRICT;
        CREATE TABLE orders(
            flow BLOB NOT NULL PRIMARY KEY, bucket INTEGER NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL,
            state INTEGER NOT NULL, digest INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE orderCounts(state INTEGER PRIMARY KEY, orders INTEGER NOT NULL) STRICT;
        INSERT INTO orderCounts VALUES (2, 0), (3, 0), (4, 0), (5, 0), (6, 0);
        CREATE TABLE items(
            bucket INTEGER NOT NULL, flow BLOB NOT NULL, sku INTEGER NOT NULL, quantity INTEGER NOT NULL,
            kind INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (bucket, flow, sku)) STRICT, WITHOUT ROWID;
        CREATE TABLE ledger(
            bucket INTEGER NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL, sku INTEGER NOT NULL,
            quantity INTEGER NOT NULL, PRIMARY KEY (bucket, epoch, n, sku)) STRICT, WITHOUT ROWID;
        CREATE TABLE cutBase(
            bucket INTEGER NOT NULL, epoch INTEGER NOT NULL, sku INTEGER NOT NULL, taken INTEGER NOT NULL,
            allocated INTEGER NOT NULL, version INTEGER NOT NULL,
            PRIMARY KEY (bucket, epoch, sku)) STRICT, WITHOUT ROWID;
        CREATE TABLE settled(
            bucket INTEGER NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL,
            PRIMARY KEY (bucket, epoch, n)) STRICT, WITHOUT ROWID;
        CREATE TABLE giveBacks(
            flow BLOB NOT NULL, digest INTEGER NOT NULL, bucket INTEGER NOT NULL, lines BLOB NOT NULL,
            doneEpoch INTEGER, doneN INTEGER, PRIMARY KEY (flow, digest)) STRICT, WITHOUT ROWID;
        CREATE INDEX pendingGiveBacks ON giveBacks(bucket, flow, digest) WHERE doneEpoch IS NULL;
        CREATE TABLE restocks(
            bucket INTEGER NOT NULL, sku INTEGER NOT NULL, fromVersion INTEGER NOT NULL, units INTEGER NOT NULL,
            epoch INTEGER, n INTEGER, PRIMARY KEY (bucket, sku, fromVersion)) STRICT, WITHOUT ROWID;
        CREATE TABLE deadLetters(
            number INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL,
            blob BLOB NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
        CREATE TABLE audit(
            number INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, origin TEXT NOT NULL, what TEXT NOT NULL,
            subject TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL) STRICT;
        """
}

extension SQLiteSchema {
    /// - `passed` holds the flows below a bucket's watermark that Redis's ledgers may still name: what is archived next, and what
    ///   stays because it is open. So neither an archiving nor a rebuild ever looks at older flows again.
    /// - `buyers` stands beside orders and give-backs, not in them: most sales have no limits and pay nothing for it. The digest
    ///   covers the buyer, so flow and digest name one.
    /// - `held` is kept only for SKUs that are limited: units reserved or sold.
    fileprivate static let ledgerGrowth = """
        ALTER TABLE buckets ADD COLUMN watermark BLOB;
        ALTER TABLE skus ADD COLUMN limitPerBuyer INTEGER;
        CREATE TABLE passed(
            bucket INTEGER NOT NULL, flow BLOB NOT NULL, PRIMARY KEY (bucket, flow)) STRICT, WITHOUT ROWID;
        CREATE TABLE buyers(
            flow BLOB NOT NULL, digest INTEGER NOT NULL, buyer BLOB NOT NULL,
            PRIMARY KEY (flow, digest)) STRICT, WITHOUT ROWID;
        CREATE TABLE held(
            sku INTEGER NOT NULL, buyer BLOB NOT NULL, units INTEGER NOT NULL,
            PRIMARY KEY (sku, buyer)) STRICT, WITHOUT ROWID;
        """
}

/// `orders.state`. One byte each, so that a payment overwrites a row in place.
enum OrderState: Int64 {
    case reserved = 2
    case sold = 3
    case cancelled = 4
    case void = 5
    case overCapacity = 6
    /// A reservation whose deadline passed.
    case expired = 7
    /// An order over several buckets of which only some groups have come.
    case partial = 8

    /// States in which Redis's ledgers need an order no longer, once its give-back is done: sold, cancelled, void, expired.
    static let settledInSQL = "(3, 4, 5, 7)"

    /// `items.kind` of its lines.
    var kind: ItemKind {
        switch self {
        case .reserved, .sold, .partial: .taken
        case .cancelled, .void, .expired: .cancelled
        case .overCapacity: .overCapacity
        }
    }
}

/// `items.kind`.
enum ItemKind: Int32 {
    case taken = 0
    case cancelled = 1
    case overCapacity = 2
}
