import Inventory
import OrderStore
import SaleRig
import Telemetry
import Testing

@testable import Operations

/// What others did, in the events of whoever looks on.
@Suite("Acts of others", .timeLimit(.minutes(5)))
struct AuditTellerTests {
    private func entry(
        _ what: String, _ subject: String, _ before: String, _ after: String, by who: String = "ada",
        at origin: String = "db1 412"
    ) -> AuditEntry {
        AuditEntry(
            atMilliseconds: 0, who: who, origin: origin, what: what, subject: subject, before: before, after: after)
    }

    private func told(_ entries: [AuditEntry], leftOut: Int64 = 0) -> [WarRoomSnapshot.Event] {
        let events = EventLog()
        var teller = AuditTeller(own: "here 7")
        let before = [entry("halt", "sale", "open", "halted")]
        teller.tell(AuditNews(entries: before, leftOut: 9, mark: .init(number: 1)), to: events)
        #expect(events.events.isEmpty, "what was there before is no news")
        teller.tell(AuditNews(entries: entries, leftOut: leftOut, mark: .init(number: 9)), to: events)
        return events.events
    }

    @Test("are sentences that say who and from where")
    func sentences() {
        let told = told([
            entry("halt", "sale", "open", "halted"), entry("halt", "sale", "open", "halted: memory is low"),
            entry("halt", "sale", "halted", "halted"), entry("freeze", "1001", "selling", "frozen"),
            entry("restock", "1001", "5 allocated", "9 allocated"),
            entry("freeze", "1001", "", "refused: the sale is closed"), entry("repair", "stock x", "+3", "done"),
        ])
        #expect(
            told.map(\.text) == [
                "ada (db1, process 412) halted the sale",
                "ada (db1, process 412) halted the sale: memory is low",
                "ada (db1, process 412) halted the sale (it was halted before)",
                "ada (db1, process 412) froze SKU 1001",
                "ada (db1, process 412) restocked SKU 1001: 5 allocated → 9 allocated",
                "ada (db1, process 412): freeze 1001 was refused: the sale is closed",
                "ada (db1, process 412): repair stock x: +3 → done",
            ])
        #expect(told.map(\.severity) == [.info, .info, .info, .info, .info, .warning, .info])
    }

    @Test("own acts, and looks that changed nothing, are left out; many are counted")
    func bounded() {
        let own = entry("halt", "sale", "open", "halted", at: "here 7")
        #expect(told([own, entry("compare", "sale", "", "0 units of drift")]).isEmpty)
        let many = (1...20).map { entry("freeze", "\($0)", "selling", "frozen") }
        let told = told(many, leftOut: 30)
        #expect(told.count == AuditTeller.toldMax + 1)
        #expect(told[0].text == "42 more acts of others: the audit has them")
        #expect(told.last?.text.hasSuffix("froze SKU 20") == true)
        let long = self.told([entry("repair", String(repeating: "x", count: 5_000), "", "done", by: "a\u{1B}[2J")])
        #expect(long.count == 1 && long[0].text.count < 400)
    }

    @Test("reach the events of who watches")
    func live() async throws {
        try await SaleRig.with(units: [10, 10]) { rig async throws in
            let events = EventLog()
            let watching = try await SaleService(cluster: rig.cluster, store: rig.store, events: events)
            let sampler = WarRoomSampler(
                service: watching, witness: nil, topology: "single", redisURL: "", ordersURL: ""
            ) { _ in }
            try await SaleRig.running([{ await sampler.run() }]) {
                try await eventually("it has begun to look") { await sampler.hasReadAudit }
                try await rig.store.audit(entry("freeze", "sku1", "selling", "frozen"))
                try await rig.store.audit(entry("halt", "sale", "open", "halted", at: Operator.current.origin))
                try await rig.store.audit(entry("thaw", "sku1", "frozen", "selling"))
                try await eventually("both are told") {
                    let told = events.events.map(\.text)
                    return told.contains("ada (db1, process 412) froze SKU sku1")
                        && told.contains("ada (db1, process 412) thawed SKU sku1")
                }
                #expect(!events.events.contains { $0.text.contains("halted the sale") })
            }
        }
    }
}
