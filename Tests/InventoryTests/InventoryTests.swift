import Inventory
import Testing

/// SplitMix64 (Steele, Lea, Flood 2014).
private struct Numbers: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

@Suite("Flows") struct FlowIDTests {
    @Test("their order is the order of their bytes")
    func order() {
        var numbers = Numbers(state: 1)
        var flows = (0..<2_000).map { _ in FlowID(high: numbers.next(), low: numbers.next()) }
        flows += flows.prefix(100).map { FlowID(high: $0.high, low: $0.low &+ 1) }
        flows += [FlowID(high: 0, low: 0), FlowID(high: .max, low: .max), FlowID(high: 1 << 63, low: 0)]
        for _ in 0..<20_000 {
            let (left, right) = (flows.randomElement(using: &numbers)!, flows.randomElement(using: &numbers)!)
            #expect((left < right) == left.bytes.lexicographicallyPrecedes(right.bytes))
            #expect((left == right) == (left.bytes == right.bytes))
        }
    }

    @Test("survive bytes and text, with and without hyphens, in either case")
    func roundTrip() throws {
        var numbers = Numbers(state: 2)
        for _ in 0..<500 {
            let flow = FlowID(high: numbers.next(), low: numbers.next())
            #expect(flow.bytes.count == 16)
            #expect(FlowID(bytes: flow.bytes) == flow)
            let text = flow.description
            #expect(text.utf8.count == 36)
            #expect(FlowID(text) == flow)
            #expect(FlowID(text.uppercased()) == flow)
            #expect(FlowID(text.filter { $0 != "-" }) == flow)
        }
        let flow = FlowID(high: 0x0190_0000_0000_7001, low: 0x8000_0000_0000_00ff)
        #expect(flow.description == "01900000-0000-7001-8000-0000000000ff")
        #expect(flow.milliseconds == 0x0190_0000_0000)
    }

    @Test(
        "are not read from anything else",
        arguments: [
            "", "-", "0", "01900000-0000-7001-8000-0000000000f", "01900000-0000-7001-8000-0000000000fff",
            "01900000-0000-7001-8000-0000000000fg", "０1900000-0000-7001-8000-0000000000ff",
            "01900000 0000-7001-8000-0000000000ff", "01900000-0000-7001-8000-0000000000ff\u{0}",
        ])
    func badText(text: String) { #expect(FlowID(text) == nil) }

    @Test("need sixteen bytes", arguments: [0, 1, 15, 17, 32])
    func badBytes(count: Int) { #expect(FlowID(bytes: [UInt8](repeating: 7, count: count)) == nil) }

    @Test("only grow, whatever the clock does, and carry version and variant")
    func generator() {
        var numbers = Numbers(state: 3)
        var generator = FlowIDGenerator()
        var clock: UInt64 = 1_700_000_000_000
        var last: FlowID?
        for step in 0..<30_000 {
            switch step % 7_000 {
            case 0: clock -= 3_600_000  // set back an hour
            case 1..<5_000: break  // more in one millisecond than the sequence holds
            default: clock += numbers.next() % 3
            }
            let flow = generator.next(milliseconds: clock, random: numbers.next())
            if let last { #expect(last < flow) }
            #expect(flow.high >> 12 & 0xf == 7)
            #expect(flow.low >> 62 == 2)
            last = flow
        }
    }

    @Test("carry the moment of their making")
    func moment() {
        var generator = FlowIDGenerator()
        #expect(generator.next(milliseconds: 42, random: .max).milliseconds == 42)
        #expect(generator.next(milliseconds: 43, random: 0).milliseconds == 43)
    }
}

@Suite("Orders") struct OrderTests {
    /// SKUs 1 and 2 in bucket 1, SKU 3 in bucket 2.
    let catalogue = Catalogue(
        entries: [
            CatalogueEntry(number: sku(3), sku: "c", name: "C", bucket: BucketNumber(rawValue: 2)),
            CatalogueEntry(number: sku(1), sku: "a", name: "A", bucket: BucketNumber(rawValue: 1)),
            CatalogueEntry(number: sku(2), sku: "b", name: "B", bucket: BucketNumber(rawValue: 1)),
        ],
        tags: [BucketNumber(rawValue: 1): "x", BucketNumber(rawValue: 2): "y", BucketNumber(rawValue: 9): "empty"])
    let flow = FlowID(high: 1, low: 2)

    static func sku(_ number: Int32) -> SKUNumber { SKUNumber(rawValue: number) }

    func make(_ lines: [(Int32, Int32)]) throws(OrderError) -> Order {
        try Order(
            flow: flow, lines: lines.map { OrderLine(sku: Self.sku($0.0), quantity: $0.1) }, catalogue: catalogue)
    }

    @Test("are sorted by SKU, and the order of asking makes no other order")
    func sorted() throws {
        let order = try make([(2, 5), (1, 3)])
        #expect(order.lines.map(\.sku.rawValue) == [1, 2])
        #expect(order.bucket.rawValue == 1)
        #expect(order.units == 8)
        #expect(try make([(1, 3), (2, 5)]) == order)
    }

    @Test("are refused for what is wrong with them, in one line")
    func refused() {
        let most = Order.quantityMax
        let cases: [([(Int32, Int32)], OrderError)] = [
            ([], .noLines),
            (Array(repeating: (1, 1), count: 65), .tooManyLines(65)),
            ([(1, 0)], .quantityOutOfRange(sku: Self.sku(1), quantity: 0)),
            ([(1, -1)], .quantityOutOfRange(sku: Self.sku(1), quantity: -1)),
            ([(1, .min)], .quantityOutOfRange(sku: Self.sku(1), quantity: Int64(Int32.min))),
            ([(1, most + 1)], .quantityOutOfRange(sku: Self.sku(1), quantity: Int64(most) + 1)),
            ([(2, 1), (1, .max)], .quantityOutOfRange(sku: Self.sku(1), quantity: Int64(Int32.max))),
            ([(1, 1), (1, 1)], .skuTwice(Self.sku(1))),
            ([(1, 1), (2, 1), (1, 2)], .skuTwice(Self.sku(1))),
            ([(4, 1)], .unknownSKU(Self.sku(4))),
            ([(-1, 1)], .unknownSKU(Self.sku(-1))),
            ([(1, 1), (3, 1)], .severalBuckets),
        ]
        for (lines, expected) in cases {
            let error = #expect(throws: OrderError.self) { try make(lines) }
            #expect(error == expected)
            #expect(error?.description.contains("\n") == false)
        }
        #expect(throws: Never.self) { try make([(1, most)]) }
    }

    @Test("have a digest that tells another order from the same")
    func digest() throws {
        let digests = try [[(1, 1)], [(1, 2)], [(2, 1)], [(1, 1), (2, 1)], [(1, 2), (2, 1)], [(3, 1)]].map {
            try make($0.map { (Int32($0.0), Int32($0.1)) }).digest
        }
        #expect(Set(digests).count == digests.count)
        let lines: OrderLines = [OrderLine(sku: Self.sku(1), quantity: 1)]
        #expect(
            OrderDigest(bucket: BucketNumber(rawValue: 1), lines: lines)
                != OrderDigest(bucket: BucketNumber(rawValue: 2), lines: lines))
    }

    @Test("have a digest of six characters that is read back")
    func digestBytes() {
        var numbers = Numbers(state: 4)
        let values = (0..<1_000).map { _ in numbers.next() } + [0, 1, 63, 64, 0xf_ffff_ffff, .max]
        for value in values {
            let digest = OrderDigest(rawValue: value)
            #expect(digest.rawValue == value & 0xf_ffff_ffff)
            #expect(digest.bytes.count == 6)
            #expect(OrderDigest(bytes: digest.bytes) == digest)
        }
        for bad in ["", "00000", "0000000", "00000.", "00000\u{0}", "00 000", "ééé"] {
            #expect(OrderDigest(bytes: Array(bad.utf8)) == nil)
        }
    }

    func across(_ lines: [(Int32, Int32)]) throws(OrderError) -> Order {
        try Order.across(
            flow: flow, lines: lines.map { OrderLine(sku: Self.sku($0.0), quantity: $0.1) }, catalogue: catalogue)
    }

    @Test("over several buckets have a group in each, all with the digest of the whole")
    func acrossBuckets() throws {
        #expect(try across([(2, 5), (1, 3)]) == make([(1, 3), (2, 5)]))
        let order = try across([(3, 4), (2, 5), (1, 3)])
        let wide = try #require(order.wide)
        #expect(order.bucket.rawValue == 1 && order.lines.map(\.sku.rawValue) == [1, 2])
        #expect(order.groups.map(\.bucket.rawValue) == [1, 2])
        #expect(order.groups.map(\.digest) == [wide.digest, wide.digest])
        #expect(order.allLines.map(\.quantity) == [3, 5, 4])
        #expect(try across([(1, 3), (3, 4), (2, 5)]) == order)
        // Equal lines in this bucket, and another order all the same.
        let other = try across([(1, 3), (2, 5), (3, 1)])
        #expect(other.lines == order.lines && other.digest != order.digest && other != order)
        #expect(try make([(1, 3), (2, 5)]).digest != order.digest)
        for bad: [(Int32, Int32)] in [
            [(1, 1), (3, 0)], [(1, 1), (3, 1), (1, 2)], [(1, 1), (3, 1), (4, 1)], [(4, 1), (1, 1), (3, 1)],
            (0..<65).map { ($0 % 2 * 2 + 1, 1) },
        ] {
            #expect(throws: OrderError.self) { try across(bad) }
        }
    }

    @Test("over several buckets are packed and read back, and nothing else is")
    func packedGroups() throws {
        let wide = try #require(try across([(3, 4), (2, 5), (1, 3)]).wide)
        var bytes: [UInt8] = [9]
        wide.appendGroups(to: &bytes)
        var position = 1
        #expect(WideOrder.read(flow: flow, bytes, at: &position) == wide && position == bytes.count)
        for length in 1..<bytes.count {
            position = 1
            #expect(WideOrder.read(flow: flow, Array(bytes[..<length]), at: &position) == nil)
        }
        let group = wide.groups[0]
        for groups in [
            [], [group], [group, group], [wide.groups[1], group],
            [group, .init(bucket: .init(rawValue: 5), lines: [])],
        ] {
            #expect(WideOrder(trustedFlow: flow, sortedGroups: groups) == nil)
        }
    }

    @Test("find their SKUs and buckets in the catalogue")
    func catalogueLookups() {
        #expect(catalogue.entries.map(\.sku) == ["a", "b", "c"])
        #expect(catalogue.buckets.map(\.tag) == ["x", "y"])
        #expect(catalogue.buckets[0].skus == [Self.sku(1), Self.sku(2)])
        #expect(catalogue[Self.sku(3)]?.name == "C")
        #expect(catalogue[Self.sku(0)] == nil)
        #expect(catalogue[BucketNumber(rawValue: 9)] == nil)
        #expect(catalogue.position(of: BucketNumber(rawValue: 2)) == 1)
        #expect(catalogue.position(of: Self.sku(3)) == 2)
        #expect(catalogue.number(ofSKU: "b") == Self.sku(2))
        #expect(catalogue.number(ofSKU: "B") == nil)
        for tag in ["", "{", "}", "a{b}", String(repeating: "x", count: 65)] { #expect(!Catalogue.isValidTag(tag)) }
        for tag in ["a", "é", String(repeating: "x", count: 64)] { #expect(Catalogue.isValidTag(tag)) }
    }

    @Test("name outbox ids that are read back")
    func outboxIDs() {
        let id = OutboxID(epoch: Epoch(rawValue: 12), n: 345)
        #expect(id.description == "12-345")
        #expect(OutboxID("12-345") == id)
        for bad in ["", "12", "12-", "-5", "12-345-6", "a-1", "1--1", "12-0x1"] { #expect(OutboxID(bad) == nil) }
        #expect(OutboxID(epoch: Epoch(rawValue: 2), n: 0) > OutboxID(epoch: Epoch(rawValue: 1), n: 99))
    }
}

@Suite struct CountedTests {
    @Test(
        arguments: [
            (0, "0 units"), (1, "1 unit"), (999, "999 units"), (1_000, "1,000 units"), (-12_500, "-12,500 units"),
            (42_371_776, "42,371,776 units"), (Int64.min, "-9,223,372,036,854,775,808 units"),
        ] as [(Int64, String)])
    func digitsStandInGroups(_ number: Int64, _ text: String) { #expect(number.counted("unit") == text) }
}
