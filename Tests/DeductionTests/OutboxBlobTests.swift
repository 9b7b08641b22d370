import Deduction
import Inventory
import OrderStore
import Reconciliation
import Redis
import Testing

@Suite("What stands on the wire") struct WireTests {
    static let bucket = BucketNumber(rawValue: 7)

    static func order(_ number: UInt64, _ lines: [(Int32, Int32)]) -> Order {
        Order(
            trustedFlow: FlowID(high: number << 16 | 0x7000, low: 0x8000_0000_0000_0000 | number), bucket: bucket,
            sortedLines: lines.map { OrderLine(sku: SKUNumber(rawValue: $0.0), quantity: $0.1) })
    }

    static let orders = [
        order(1, [(1, 1)]), order(2, [(1, 1_000_000), (2, 3), (4_000_000, 9)]), order(.max >> 17, [(3, 2)]),
    ]

    static let bought = orders.enumerated().map { position, order in
        Order(
            trustedFlow: order.flow, bucket: bucket, sortedLines: order.lines,
            buyer: position == 1 ? nil : BuyerID(high: UInt64(position), low: .max))
    }

    static let payloads: [OutboxBlob.Payload] = [
        .deduct(bought), .release(bought),
        .deduct(orders), .release(orders), .deduct([]), .state, .freeze(sku: SKUNumber(rawValue: 5), frozen: true),
        .freeze(sku: SKUNumber(rawValue: 5), frozen: false),
        .restock(sku: SKUNumber(rawValue: 6), fromVersion: 3, units: 1_000_000_000_000),
        .repair(sku: SKUNumber(rawValue: 6), delta: -12), .repair(sku: SKUNumber(rawValue: 6), delta: 0),
    ]

    @Test("a blob is read as it was written, and neither shortened nor lengthened", arguments: payloads)
    func blob(payload: OutboxBlob.Payload) {
        let blob = OutboxBlob(milliseconds: 0x1234_5678_9abc, payload: payload)
        let bytes = blob.bytes
        #expect(OutboxBlob(bytes: bytes, bucket: Self.bucket) == blob)
        for length in bytes.indices { #expect(OutboxBlob(bytes: Array(bytes[..<length]), bucket: Self.bucket) == nil) }
        #expect(OutboxBlob(bytes: bytes + [0], bucket: Self.bucket) == nil)
    }

    /// An order over buckets 7 and 9 under flow `number`.
    static func wide(_ number: UInt64, _ lines: [Int32] = [1, 2]) -> WideOrder {
        WideOrder(
            trustedFlow: FlowID(high: number << 16 | 0x7000, low: 0x8000_0000_0000_0000 | number),
            sortedGroups: [7, 9].map { bucket in
                .init(
                    bucket: BucketNumber(rawValue: bucket),
                    lines: lines.map { OrderLine(sku: SKUNumber(rawValue: bucket * 10 + $0), quantity: $0) })
            })!
    }

    @Test("an entry with a group names its whole order, and reads like any other up to there")
    func wideSection() throws {
        let plain = Self.orders[1]
        let group = Self.wide(4).orders[0]
        for payload: OutboxBlob.Payload in [
            .deduct([plain, group]), .release([group]), .deduct([group, Self.wide(5, [3]).orders[0], plain]),
        ] {
            let blob = OutboxBlob(milliseconds: 5, payload: payload)
            let bytes = blob.bytes
            #expect(OutboxBlob(bytes: bytes, bucket: Self.bucket) == blob)
            for length in bytes.indices {
                #expect(OutboxBlob(bytes: Array(bytes[..<length]), bucket: Self.bucket) == nil)
            }
            #expect(OutboxBlob(bytes: bytes + [0], bucket: Self.bucket) == nil)
        }
        // What the scripts read is laid out as ever, but for the flag.
        let alone = OutboxBlob(milliseconds: 5, payload: .deduct([plain])).bytes
        var beside = OutboxBlob(milliseconds: 5, payload: .deduct([plain, group])).bytes
        #expect(beside[1] == alone[1] | 0x80 && beside[8] == 2)
        beside[1] = alone[1]
        beside[8] = alone[8]
        #expect(beside.starts(with: alone))
        #expect(OutboxBlob(bytes: beside, bucket: Self.bucket) == nil)
    }

    @Test("no flipped bit of a group or its section passes its digest")
    func flippedBitsOfGroups() {
        let bytes = OutboxBlob(milliseconds: 1, payload: .deduct([Self.wide(1).orders[0]])).bytes
        for position in OutboxBlob.headerBytes + 16..<bytes.count {
            for bit in 0..<8 {
                var changed = bytes
                changed[position] ^= 1 << bit
                #expect(OutboxBlob(bytes: changed, bucket: Self.bucket) == nil, "byte \(position)")
            }
        }
    }

    @Test("a blob of another version, another kind or another bucket is unreadable")
    func strangeBlob() {
        let bytes = OutboxBlob(milliseconds: 1, payload: .deduct(Self.orders)).bytes
        var version = bytes
        version[0] = 2
        var kind = bytes
        kind[1] = 7
        #expect(OutboxBlob(bytes: version, bucket: Self.bucket) == nil)
        #expect(OutboxBlob(bytes: kind, bucket: Self.bucket) == nil)
        #expect(OutboxBlob(bytes: bytes, bucket: BucketNumber(rawValue: 8)) == nil)
    }

    @Test("no flipped bit of an order passes its digest")
    func flippedBits() {
        let bytes = OutboxBlob(milliseconds: 1, payload: .deduct([Self.orders[1]])).bytes
        // The flow is not part of the digest: begin behind it.
        for position in OutboxBlob.headerBytes + 16..<bytes.count {
            for bit in 0..<8 {
                var changed = bytes
                changed[position] ^= 1 << bit
                #expect(OutboxBlob(bytes: changed, bucket: Self.bucket) == nil)
            }
        }
    }

    @Test("an entry says what SQL must write; one that cannot be read is a dead letter")
    func settlements() {
        func entry(_ blob: [UInt8], _ results: String, n: Int64 = 3) -> String {
            let entry = OutboxEntry(
                bucket: Self.bucket, id: OutboxID(epoch: Epoch(rawValue: 2), n: n), blob: blob,
                results: Array(results.utf8))
            switch entry.settlement.action {
            case .deduct(let orders): return "deduct \(orders.map { Self.orders.firstIndex(of: $0)! })"
            case .release(let back, let tombstones):
                return "release \(back.map { Self.orders.firstIndex(of: $0)! }) "
                    + "\(tombstones.map { Self.orders.firstIndex(of: $0)! })"
            case .restock: return "restock"
            case .mark: return "mark"
            case .repair(_, let delta): return "repair \(delta)"
            case .unreadable: return "unreadable"
            }
        }
        func blob(_ payload: OutboxBlob.Payload) -> [UInt8] { OutboxBlob(milliseconds: 9, payload: payload).bytes }
        #expect(entry(blob(.deduct(Self.orders)), "DSD") == "deduct [0, 2]")
        #expect(entry(blob(.deduct(Self.orders)), "dFX") == "deduct []")
        #expect(entry(blob(.deduct(Self.orders)), "DD") == "unreadable")
        #expect(entry(blob(.release(Self.orders)), "TRr") == "release [1] [0]")
        #expect(entry(blob(.release(Self.orders)), "") == "unreadable")
        #expect(entry(blob(.repair(sku: SKUNumber(rawValue: 1), delta: -4)), "R") == "repair -4")
        #expect(entry(blob(.state), "R") == "mark")
        #expect(entry([], "", n: 0) == "mark")
        #expect(entry([], "") == "unreadable")
        #expect(entry([1, 2, 3], "D") == "unreadable")
    }

    @Test("an XRANGE answer is read, whatever else lies in the stream")
    func entries() {
        func item(_ id: String, _ fields: [RedisReply]) -> RedisReply {
            .array([.bulk(Array(id.utf8)), .array(fields)])
        }
        func text(_ text: String) -> RedisReply { .bulk(Array(text.utf8)) }
        let reply = RedisReply.array([
            item("5-1", [text("o"), text("blob"), text("r"), text("D")]), item("x-1", [text("o"), text("b")]),
            .null, item("5-2", [text("other"), text("thing"), text("odd")]),
        ])
        let entries = OutboxEntry.read(reply, bucket: Self.bucket)
        #expect(entries.map(\.id.description) == ["5-1", "5-2"])
        #expect(entries[0].blob == Array("blob".utf8) && entries[0].results == Array("D".utf8))
        #expect(entries[1].blob.isEmpty)
        #expect(OutboxEntry.read(.null, bucket: Self.bucket).isEmpty)
    }

    @Test("a SKU's control is read")
    func control() throws {
        let control = try #require(SKUControl("100 2 40 1 17"))
        #expect(
            control.allocated == 100 && control.version == 2 && control.taken == 40 && control.frozen && control.n == 17
        )
        for bad in ["", "1 2 3 4", "1 2 3 2 5", "1 2 3 0 5 6 7", "a 2 3 0 5", "1 2 3 0 x"] {
            #expect(SKUControl(bad) == nil)
        }
    }

    @Test("a ledger entry is read as it was written")
    func ledgerEntry() throws {
        let digest = Self.orders[0].digest
        for cancelled in [true, false] {
            let row = LedgerRow(
                sku: SKUNumber(rawValue: 1), flow: Self.orders[0].flow, digest: digest, quantity: 12,
                cancelled: cancelled,
                n: 345)
            let entry = LedgerEntry(row)
            #expect(LedgerEntry(entry.bytes) == entry)
            #expect(String(decoding: entry.bytes, as: UTF8.self).hasPrefix(cancelled ? "12c345." : "12t345."))
        }
        let tail = "." + String(decoding: digest.bytes, as: UTF8.self)
        for bad in ["", "1", "12x3" + tail, "t3" + tail, "12t" + tail, "12t3", "12t3" + tail + "a", "-t3" + tail] {
            #expect(LedgerEntry(Array(bad.utf8)) == nil, "\(bad)")
        }
    }

    @Test("answers of scripts are read, and what is none of them is unreadable")
    func answers() throws {
        func text(_ text: String) -> RedisReply { .bulk(Array(text.utf8)) }
        guard
            case .done(let n, let results, let duplicates, let stocks) = ScriptAnswer(
                .array([.integer(9), text("DdS"), text("2:4 3:x 7"), .integer(5), .integer(0)]))
        else { throw Missing() }
        #expect(n == 9 && results == Array("DdS".utf8) && duplicates == [1: 4] && stocks == [5, 0])
        for reason in [
            "replica", "noControl", "lineage", "epoch", "behind", "recovering", "halted", "closed", "missing",
        ] {
            guard case .fenced(let read, let epoch) = ScriptAnswer(.array([.integer(-1), text(reason), text("12")]))
            else {
                throw Missing()
            }
            #expect(read.rawValue == reason && epoch?.rawValue == 12)
        }
        guard case .fenced(.scriptFailed, nil) = ScriptAnswer(.array([.integer(-1), text("what"), text("")])) else {
            throw Missing()
        }
        for reply: RedisReply in [
            .null, .integer(1), .array([]), .array([text("a"), text("b"), text("c")]), text("OK"),
        ] {
            guard case .unreadable = ScriptAnswer(reply) else { throw Missing() }
        }
    }

    struct Missing: Error {}
}
