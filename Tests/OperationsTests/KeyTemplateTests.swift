import Operations
import Testing

@Suite("Key templates")
struct KeyTemplateTests {
    private func read(_ template: String, _ key: String) throws -> String? {
        try KeyTemplate(template).read(Array(key.utf8)).map { "\($0.sku)|\($0.tag ?? "-")" }
    }

    @Test(
        "a key that a template makes is read back as it was made",
        arguments: [
            ("stock:sku", "1001", nil), ("ss_{sku}", "1001", nil), ("ss_{tag}_sku", "1001", "a7"),
            ("ss_{tag}sku", "1001", "a7"), ("sku", "anything at all", nil), ("stock<sku>", "1001", nil),
            ("\\sku:sku:stock", "sku:sku", nil), ("stock:sku:{tag}", "a:b:{c", "t"), ("ss_{tag}_sku", "a_{b}_c", "t_1"),
            ("x<tag>x<sku>x", "xx", "a"), ("skus:sku", "7", nil), ("stage-sku", "Größe 42", nil),
        ] as [(String, String, String?)])
    func bothWays(template: String, sku: String, tag: String?) throws {
        let template = try KeyTemplate(template)
        #expect(template.hasTag == (tag != nil))
        let reading = KeyTemplate.Reading(sku: sku, tag: tag)
        #expect(template.read(template.key(reading)) == reading, "\(template)")
    }

    @Test("what keys say, and which keys say nothing")
    func readings() throws {
        #expect(try read("stock:sku", "stock:1001") == "1001|-")
        #expect(try read("ss_{sku}", "ss_{1001}") == "1001|-")
        #expect(try read("ss_{sku}", "ss_1001") == nil)
        #expect(try read("ss_{tag}_sku", "ss_{a7}_1001") == "1001|a7")
        #expect(try read("ss_{tag}_sku", "ss_{a7}1001") == nil)
        // A tag holds no brace, so a key of two pairs is not made so.
        #expect(try read("ss_{tag}_sku", "ss_{a{b}_1") == nil)
        #expect(try read("stock:sku", "stock:") == nil)
        #expect(try read("stock:sku", "Stock:1") == nil)
        #expect(try read("sku:stock", "1001:stock") == "1001|-")
        #expect(try read("sku:stock", ":stock") == nil)
        #expect(try read("stock:sku:x", "stock:x") == nil)
        #expect(try KeyTemplate("stock:sku").read([115, 116, 111, 99, 107, 58, 0xFF]) == nil, "not UTF-8")
    }

    @Test(
        "a template that could not be read back is refused in one line",
        arguments: [
            ("", "empty"), ("stock:", "where the SKU stands"), ("skusku", "where the SKU stands"), ("sku:sku", "twice"),
            ("<tag><sku>", "between"), ("{tag}", "where the SKU stands"), ("{tag}{tag}sku", "twice"),
            ("stock:sku\\", "backslash"), (String(repeating: "x", count: 300) + "<sku>", "longer"),
        ])
    func refused(text: String, why: String) throws {
        do {
            let made = try KeyTemplate(text)
            Issue.record("\(made) was taken: \(made)")
        } catch {
            #expect(error.description.contains(why), "\(error)")
            #expect(!error.description.contains("\n"))
        }
    }

    @Test("the pattern of SCAN takes letters of a pattern as they are")
    func pattern() throws {
        func pattern(_ template: String) throws -> String {
            String(decoding: try KeyTemplate(template).pattern, as: UTF8.self)
        }
        #expect(try pattern("stock:sku") == "stock:*")
        #expect(try pattern("ss_{tag}_sku") == "ss_{*}_*")
        #expect(try pattern("s*[a]?:sku") == "s\\*\\[a\\]\\?:*")
        #expect(try KeyTemplate("stock:sku").readRule == "%R~stock:*")
    }

    @Test("stock and ledger belong together")
    func pairs() throws {
        let both = try ForeignKeys(stock: KeyTemplate("ss_{tag}_sku"), ledger: KeyTemplate("sx_{sku}"))
        #expect(both.ledger?.hasTag == false)
        #expect(throws: KeyTemplate.Problem.self) {
            try ForeignKeys(stock: KeyTemplate("ss_{sku}"), ledger: KeyTemplate("sx_{tag}_sku"))
        }
        #expect(throws: KeyTemplate.Problem.self) {
            try ForeignKeys(stock: KeyTemplate("s:sku"), ledger: KeyTemplate("s:<sku>"))
        }
    }

    @Test("usual keys are recognised by what most of them look like")
    func guesses() {
        func guess(_ keys: [String]) -> String? {
            ForeignKeys.guess(among: keys.map { Array($0.utf8) }).map { "\($0.stock) \($0.ledger?.text ?? "-")" }
        }
        #expect(guess(["stock:1", "stock:2", "session:9"]) == "stock:sku -")
        #expect(guess(["ss_{a}_1", "sx_{a}_1", "ss_{b}_2"]) == "ss_{tag}_sku sx_{tag}_sku")
        #expect(guess(["ss_{1}", "ss_{2}", "sx_{2}"]) == "ss_{sku} sx_{sku}")
        #expect(guess(["ss_{a}1", "sx_{a}1"]) == "ss_{tag}sku sx_{tag}sku")
        #expect(guess(["session:1"]) == nil)
        #expect(guess([]) == nil)
    }
}
