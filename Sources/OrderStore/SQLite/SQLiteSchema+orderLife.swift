extension SQLiteSchema {
    /// Deadlines, late payments, refunds, and an end for dead letters. Orders of an older file have no deadline.
    ///
    /// - `deadlines` says which orders were reserved until when: the flows of a transaction, 16 bytes each, under one deadline. It
    ///   is written in order and not touched by a payment; whoever looks whether a reservation is over asks its row. A partial
    ///   index over the reserved rows would say the same, and cost every insert and every payment a place in another tree:
    ///   measured, a third of the store's speed, where this costs what the noise hides.
    /// - `payments` holds those that wait for their order (state 1), those whose lines are being asked for once more (2), and
    ///   those that got them (3) under the flow `again`, or did not (4). `epoch` is the one under which the bucket was open last when the
    ///   payment came: once it is open under a newer one, the order cannot come any more.
    /// - `refunds`: one for each payment, however often it is told.
    static let orderLife = """
        ALTER TABLE sales ADD COLUMN reservationTimeout INTEGER;
        ALTER TABLE sales ADD COLUMN latePayments TEXT NOT NULL DEFAULT 'refund';
        ALTER TABLE orders ADD COLUMN deadline INTEGER;
        INSERT INTO orderCounts VALUES (7, 0);
        CREATE TABLE deadlines(
            number INTEGER PRIMARY KEY, deadline INTEGER NOT NULL, flows BLOB NOT NULL) STRICT;
        CREATE INDEX deadlinesByTime ON deadlines(deadline);
        CREATE TABLE payments(
            flow BLOB NOT NULL, digest INTEGER NOT NULL, bucket INTEGER NOT NULL, lines BLOB NOT NULL,
            epoch INTEGER NOT NULL, at INTEGER NOT NULL, state INTEGER NOT NULL, reason INTEGER, again BLOB,
            PRIMARY KEY (flow, digest)) STRICT, WITHOUT ROWID;
        CREATE INDEX paymentsByState ON payments(state, flow, digest);
        CREATE UNIQUE INDEX paymentsAgain ON payments(again) WHERE again IS NOT NULL;
        CREATE TABLE refunds(
            number INTEGER PRIMARY KEY, flow BLOB NOT NULL, digest INTEGER NOT NULL, units INTEGER NOT NULL,
            reason INTEGER NOT NULL, paid INTEGER NOT NULL, at INTEGER NOT NULL, settledAt INTEGER,
            UNIQUE (flow, digest)) STRICT;
        ALTER TABLE deadLetters ADD COLUMN isOrder INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE deadLetters ADD COLUMN settledAs TEXT;
        ALTER TABLE deadLetters ADD COLUMN settledBy TEXT;
        ALTER TABLE deadLetters ADD COLUMN settledAt INTEGER;
        """
}

/// `payments.state`.
enum PaymentState: Int64 {
    case waiting = 1
    case reservingAgain = 2
    case reservedAgain = 3
    /// They could not be had: there is a refund.
    case refunded = 4
}
