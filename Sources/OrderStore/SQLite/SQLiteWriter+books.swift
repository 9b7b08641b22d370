import Inventory

/// The SKUs, buckets and counts that one transaction touches: read once each, decided on in memory, written once at its end.
struct TransactionBooks {
    struct SKU {
        let number: Int32
        let bucket: Int32
        var allocated: Int64
        var sold: Int64
        var reserved: Int64
        var overCapacity: Int64
        /// Units that one buyer may hold; 0: any number.
        let limitPerBuyer: Int64
        var isChanged = false
        /// Whether units were taken back from what is allocated.
        var isShrunk = false
        /// Units that the entry under way moved in Redis, and which entry that is.
        var moved: Int64 = 0
        var movedBy = 0
    }

    struct Bucket {
        let number: BucketNumber
        let epoch: Epoch
        let state: BucketState
        let drainedEpoch: Epoch
        var drainedN: Int64
        /// Whether ids beyond `drainedN` may be settled.
        var hasGap: Bool
        /// Whether it is recovering and the present epoch's fold was made.
        let isFolded: Bool
        /// Flows below it are known to `passed` when they are inserted.
        let watermark: FlowID?
        var isChanged = false
    }

    /// SKU numbers above this are no numbers that `createSale` gave out.
    static let skuNumberMax: Int32 = 4_000_000

    var skus: [SKU] = []
    /// SKU number → its place in `skus` + 1; 0: not touched.
    var skuPlaces: [Int32] = []
    var buckets: [Bucket] = []
    var bucketPlaces: [BucketNumber: Int] = [:]
    /// Places of the SKUs that the entry under way moved.
    var movedPlaces: [Int] = []
    var entrySerial = 0
    /// Whether the order settled last stands from an earlier entry.
    var wasTakenBefore = false
    /// How many orders each state gained, by raw value of `OrderState`.
    var gained: [Int64] = Array(repeating: 0, count: 9)
    var isDurable = true
    var now: Int64 = 0
    /// Until when a reservation made now waits for its payment; `nil`: for ever.
    var deadline: Int64?
    /// Reservations made in this transaction that have that deadline.
    var due: [FlowID] = []
    var latePayments = LatePaymentPolicy.refund
    /// Whether any payment waits for its order.
    var hasWaitingPayments = false
    /// Whether each order gets a savepoint, because one of them was refused by a constraint.
    var isCareful = false

    /// Forgets the transaction before.
    mutating func clear() {
        for sku in skus { skuPlaces[Int(sku.number)] = 0 }
        skus.removeAll(keepingCapacity: true)
        buckets.removeAll(keepingCapacity: true)
        bucketPlaces.removeAll(keepingCapacity: true)
        movedPlaces.removeAll(keepingCapacity: true)
        due.removeAll(keepingCapacity: true)
        isCareful = false
        entrySerial = 0
        for state in gained.indices { gained[state] = 0 }
    }
}

extension SQLiteWriter {
    /// Begins the books of a transaction.
    func openBooks() throws {
        books.clear()
        books.now = now()
        books.isDurable = true
        if try findDurability.next() {
            books.isDurable = findDurability.int64(0) != 0
            findDurability.reset()
        }
        try openLife()
    }

    /// Where a SKU's counters stand in the books; `nil` if the sale has no such SKU.
    @inline(__always)
    func place(of sku: SKUNumber) throws -> Int? {
        let number = Int(sku.rawValue)
        if number >= 0, number < books.skuPlaces.count {
            let place = books.skuPlaces[number]
            if place > 0 { return Int(place) - 1 }
        }
        return try readSKU(sku)
    }

    private func readSKU(_ sku: SKUNumber) throws -> Int? {
        guard sku.rawValue >= 0, sku.rawValue <= TransactionBooks.skuNumberMax else { return nil }
        findSKU.bind(1, sku.rawValue)
        guard try findSKU.next() else { return nil }
        defer { findSKU.reset() }
        let number = Int(sku.rawValue)
        if number >= books.skuPlaces.count {
            let missing = max(number + 1, 1_024) - books.skuPlaces.count
            books.skuPlaces.append(contentsOf: repeatElement(0, count: missing))
        }
        books.skus.append(
            TransactionBooks.SKU(
                number: sku.rawValue, bucket: findSKU.int32(0), allocated: findSKU.int64(1), sold: findSKU.int64(2),
                reserved: findSKU.int64(3), overCapacity: findSKU.int64(4), limitPerBuyer: findSKU.int64(5)))
        books.skuPlaces[number] = Int32(books.skus.count)
        return books.skus.count - 1
    }

    /// Where a bucket stands in the books; `nil` if there is no such bucket.
    func place(of bucket: BucketNumber) throws -> Int? {
        if let place = books.bucketPlaces[bucket] { return place }
        findBucket.bind(1, bucket.rawValue)
        guard try findBucket.next() else { return nil }
        let epoch = findBucket.int64(0)
        let state = BucketState(rawValue: String(decoding: findBucket.bytes(1), as: UTF8.self)) ?? .recovering
        let drainedEpoch = findBucket.int64(2)
        let drainedN = findBucket.int64(3)
        let hasGap = findBucket.int64(4) != 0
        let watermark = findBucket.isNull(5) ? nil : findBucket.flow(5)
        findBucket.reset()
        books.buckets.append(
            TransactionBooks.Bucket(
                number: bucket, epoch: Epoch(rawValue: epoch), state: state,
                drainedEpoch: Epoch(rawValue: drainedEpoch),
                drainedN: drainedN, hasGap: hasGap,
                isFolded: try state == .recovering && exists(findBase, bucket, epoch), watermark: watermark))
        books.bucketPlaces[bucket] = books.buckets.count - 1
        return books.buckets.count - 1
    }

    private func exists(_ statement: SQLiteStatement, _ bucket: BucketNumber, _ epoch: Int64) throws -> Bool {
        statement.bind(1, bucket.rawValue)
        statement.bind(2, epoch)
        guard try statement.next() else { return false }
        statement.reset()
        return true
    }

    // MARK: The prefix of settled entries

    /// Whether an entry was settled before.
    func isSettled(_ id: OutboxID, in place: Int) throws -> Bool {
        let bucket = books.buckets[place]
        if id.epoch < bucket.drainedEpoch { return true }
        if id.epoch == bucket.drainedEpoch {
            if id.n <= bucket.drainedN { return true }
            if !bucket.hasGap { return false }
        }
        findSettled.bind(1, bucket.number.rawValue)
        findSettled.bind(2, id.epoch.rawValue)
        findSettled.bind(3, id.n)
        guard try findSettled.next() else { return false }
        findSettled.reset()
        return true
    }

    /// Notes an entry as settled and moves the gapless prefix as far as it goes.
    func noteSettled(_ id: OutboxID, in place: Int) throws {
        let bucket = books.buckets[place]
        guard id.epoch == bucket.drainedEpoch, id.n == bucket.drainedN + 1 else {
            insertSettled.bind(1, bucket.number.rawValue)
            insertSettled.bind(2, id.epoch.rawValue)
            insertSettled.bind(3, id.n)
            try insertSettled.run()
            if id.epoch == bucket.drainedEpoch { books.buckets[place].hasGap = true }
            return
        }
        books.buckets[place].drainedN = id.n
        books.buckets[place].isChanged = true
        guard bucket.hasGap else { return }
        while true {
            deleteSettled.bind(1, bucket.number.rawValue)
            deleteSettled.bind(2, id.epoch.rawValue)
            deleteSettled.bind(3, books.buckets[place].drainedN + 1)
            guard try deleteSettled.run() == 1 else { break }
            books.buckets[place].drainedN += 1
        }
        books.buckets[place].hasGap = try exists(anySettled, bucket.number, id.epoch.rawValue)
    }

    // MARK: Movements

    /// Adds to what the entry under way moved. A SKU that the sale does not have has no movements.
    @inline(__always)
    func move(_ sku: SKUNumber, by units: Int64) throws {
        guard let place = try place(of: sku) else { return }
        if books.skus[place].movedBy != books.entrySerial {
            books.skus[place].movedBy = books.entrySerial
            books.skus[place].moved = 0
            books.movedPlaces.append(place)
        }
        books.skus[place].moved += units
    }

    /// Writes the movements of the entry under way.
    func writeMovements(bucket: BucketNumber, id: OutboxID) throws {
        for place in books.movedPlaces where books.skus[place].moved != 0 {
            insertMovement.bind(1, bucket.rawValue)
            insertMovement.bind(2, id.epoch.rawValue)
            insertMovement.bind(3, id.n)
            insertMovement.bind(4, books.skus[place].number)
            insertMovement.bind(5, books.skus[place].moved)
            try insertMovement.run()
        }
        books.movedPlaces.removeAll(keepingCapacity: true)
    }

    // MARK: The end

    /// Writes every counter that changed, once.
    func closeBooks() throws {
        for sku in books.skus where sku.isChanged {
            writeSKU.bind(1, sku.number)
            writeSKU.bind(2, sku.sold)
            writeSKU.bind(3, sku.reserved)
            writeSKU.bind(4, sku.overCapacity)
            try writeSKU.run()
        }
        // After the counters, which may not exceed it.
        for sku in books.skus where sku.isShrunk {
            writeAllocated.bind(1, sku.number)
            writeAllocated.bind(2, sku.allocated)
            try writeAllocated.run()
        }
        for bucket in books.buckets where bucket.isChanged {
            writeBucket.bind(1, bucket.number.rawValue)
            writeBucket.bind(2, bucket.drainedN)
            try writeBucket.run()
        }
        try writeDeadlines()
        for (state, orders) in books.gained.enumerated() where orders != 0 {
            addToCount.bind(1, Int64(state))
            addToCount.bind(2, orders)
            try addToCount.run()
        }
    }
}
