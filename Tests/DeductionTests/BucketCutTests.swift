import Deduction
import Inventory
import Reconciliation
import Redis
import SaleRig
import Testing

/// A cut's SKUs come as one text.
@Suite("A bucket's cut", .timeLimit(.minutes(5)))
struct BucketCutTests {
    static let bucket = Bucket(
        number: BucketNumber(rawValue: 1), tag: "t", skus: [SKUNumber(rawValue: 3), SKUNumber(rawValue: 9)])

    func read(_ text: String, of bucket: Bucket = bucket) -> BucketCut? {
        BucketCut(
            .array(
                ["7", "open", "4"].map { .bulk(Array($0.utf8)) } + [.integer(1)]
                    + ["7-4", "2", ""].map { .bulk(Array($0.utf8)) } + [.bulk(Array(text.utf8))]),
            bucket: bucket)
    }

    @Test("each SKU has its three lines")
    func lines() throws {
        let cut = try #require(read("5\n8 1 3 0 4\n3\n\n\n0"))
        #expect(cut.id == OutboxID(epoch: Epoch(rawValue: 7), n: 4) && cut.act == 2 && cut.lineageHolds)
        #expect(cut.skus.map(\.sku) == Self.bucket.skus)
        #expect(cut.skus.map(\.stock) == [5, nil])
        #expect(cut.skus.map { $0.control?.allocated } == [8, nil])
        #expect(cut.skus.map(\.ledgerEntries) == [2, 0])
        #expect(cut.damage == .missing && cut.damagedSKU?.sku == Self.bucket.skus[1])
    }

    @Test(
        "another number of lines is not read", arguments: ["", "5", "5\n8 1 3 0 4\n3", "1\n\n2\n3\n\n4\n5", "\n\n\n\n"])
    func otherLines(_ text: String) { #expect(read(text) == nil) }

    @Test("a bucket without SKUs has no lines")
    func none() {
        #expect(read("", of: Self.bucket.withoutSKUs)?.damage == nil)
        #expect(read("1", of: Self.bucket.withoutSKUs) == nil)
    }

    @Test("a stock is what the same text is as a number")
    func numbers() throws {
        var random = SystemRandomNumberGenerator()
        var texts = [
            "\(Int64.max)", "\(Int64.min)", "9223372036854775808", "-9223372036854775809", "+7", "-", "+", "007", " 1",
            "1 ",
        ]
        for _ in 0..<2_000 {
            texts.append(
                String((0..<Int.random(in: 0...21, using: &random)).map { _ in "0123456789+-. x٣".randomElement()! }))
            texts.append("\(Int64.random(in: .min ... .max, using: &random))")
        }
        for text in texts {
            let cut = try #require(read("\(text)\n\(text)\n1\n1\n1 2 3 1 \(text)\n1"))
            #expect(cut.skus[0].stock == Int64(text), "\(text)")
            #expect(cut.skus[1].control?.n == (text.contains(" ") ? cut.skus[1].control?.n : Int64(text)), "\(text)")
        }
    }

    @Test("numbers beyond every bucket are damage, not a crash")
    func overflow() throws {
        #expect(read("\(Int64.max)\n8 1 3 0 4\n3\n5\n8 1 3 0 4\n1")?.damage == .unbalanced)
        #expect(read("5\n8 1 3 0 4\n3\n5\n8 1 \(Int64.max) 0 4\n1")?.damage == .unbalanced)
    }

    @Test(
        "what somebody else wrote reads as damage",
        arguments: ["5\n", "\n", "5\n8 0 0 0 0\n1", "x", "-1", "\(Int64.max)"])
    func foreign(_ text: String) async throws {
        try await SaleRig.with(units: [10, 10, 10]) { rig async throws in
            try await rig.redis("SET", rig.keys.stocks[1], text)
            var cut = try await rig.cut()
            #expect(cut.skus.map(\.stock) == [10, Int64(text), 10])
            #expect(cut.damage == (Int64(text) == nil ? .missing : .unbalanced))
            let comparison = await rig.compare()
            #expect(comparison.unread.isEmpty && comparison.findings.count == 1)
            try await rig.redis("SET", rig.keys.stocks[1], "10")
            try await rig.redis("HSET", rig.keys.ledgers[0], "#", text)
            cut = try await rig.cut()
            #expect(cut.damage == .missing && cut.skus.map { $0.control?.allocated } == [nil, 10, 10])
            try await rig.redis("SET", rig.keys.ledgers[0], "a key of another type")
            try await rig.redis("DEL", rig.keys.stocks[2])
            try await rig.redis("HSET", rig.keys.stocks[2], "of", "another type")
            cut = try await rig.cut()
            #expect(cut.skus.map(\.stock) == [10, 10, nil])
            #expect(cut.skus.map(\.ledgerEntries) == [0, 0, 0])
        }
    }

    @Test("a bucket of more SKUs than one MGET takes")
    func large() async throws {
        let units = (0..<6_003).map { Int64($0) }
        try await SaleRig.with(units: units) { rig async throws in
            let cut = try await rig.cut()
            #expect(cut.skus.map(\.stock) == units)
            #expect(cut.damage == nil)
            #expect(await rig.compare().findings.isEmpty)
            try await rig.drain()
            _ = try await rig.deduct([rig.order(9), rig.order(9), rig.order(6_002)])
            for counts in [true, false] {
                let cut = try #require(
                    try await BucketCut.read(
                        rig.bucket, rig.keys, by: rig.scripts, on: rig.cluster, countsEntries: counts,
                        deadline: .now + .seconds(5)))
                let entries = cut.skus.filter { $0.ledgerEntries != 0 }
                #expect(entries.map(\.sku.rawValue) == (counts ? [9, 6_002] : []))
                #expect(entries.map(\.ledgerEntries) == (counts ? [2, 1] : []))
                #expect(cut.skus[8].stock == 6 && cut.skus[8].control?.taken == 2)
            }
        }
    }
}
