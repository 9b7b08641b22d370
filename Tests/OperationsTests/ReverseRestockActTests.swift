import Deduction
import Inventory
import Operations
import OrderStore
import SaleRig
import Testing

/// What a person hears of a reverse restock, and what the audit keeps of it.
@Suite("The act of a reverse restock", .serialized, .timeLimit(.minutes(2)))
struct ReverseRestockActTests {
    private static let sku = SKUNumber(rawValue: 1)

    private func control(_ rig: SaleRig) -> SaleControl {
        SaleControl(
            catalogue: rig.catalogue, store: rig.store,
            acts: BucketActs(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store),
            events: EventLog(), who: Operator(who: "ada", origin: "desk"))
    }

    private func lastRow(_ rig: SaleRig) async throws -> [String] {
        let row = try await rig.store.auditTrail(limit: 1)[0]
        return [row.who, row.what, row.subject, row.before, row.after]
    }

    @Test("takes back what a restock brought, and says so with what was before and after")
    func undoes() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let control = control(rig)
            #expect(await control.restock(Self.sku, units: 5).succeeded)
            let report = await control.restock(Self.sku, units: -5)
            #expect(report == .init(sentence: "SKU sku1 has 5 units fewer: they are off sale", succeeded: true))
            #expect(try await lastRow(rig) == ["ada", "reverse restock", "sku1", "15 allocated", "10 allocated"])
            #expect(try await rig.stock() == 10)
        }
    }

    @Test("is refused in one line where fewer are left, whichever store knows it")
    func refused() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let control = control(rig)
            #expect(try await rig.deduct([rig.order(1, 6)]) == "1 D")
            let inRedis = await control.restock(Self.sku, units: -5)
            #expect(
                inRedis.sentence
                    == "reverse restock sku1: fewer than 5 units are left unsold; nothing was changed")
            #expect(!inRedis.succeeded)
            try await rig.drain()
            let inSQL = await control.restock(Self.sku, units: -5)
            #expect(
                inSQL.sentence
                    == "reverse restock sku1: 4 units are left, fewer than the 5 to take back; nothing was changed")
            #expect(
                try await lastRow(rig) == [
                    "ada", "reverse restock", "sku1", "",
                    "refused: 4 units are left, fewer than the 5 to take back; nothing was changed",
                ])
            #expect(try await rig.counters().allocated == 10)
            for units in [Int64.min, -SaleControl.restockUnitsMax - 1, 0] {
                #expect(await control.restock(Self.sku, units: units).succeeded == false)
            }
            #expect(await control.restock(SKUNumber(rawValue: 99), units: -1).succeeded == false)
        }
    }

    @Test("that its bucket cannot hear is not called done, and is done once by whoever sees it through")
    func waits() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let control = control(rig)
            try await rig.redis("DEL", rig.keys.control)
            let report = await control.restock(Self.sku, units: -4)
            #expect(!report.succeeded)
            #expect(
                report.sentence.hasPrefix(
                    "reverse restock sku1: not decided yet: once its bucket answers, 4 units go off sale if they are left then"
                ), "\(report.sentence)")
            try await rig.recover()
            #expect(try await rig.counters().allocated == 6)
            #expect(try await rig.store.pendingRestocks().isEmpty)
        }
    }

    @Test("is refused once the sale is closed: its books are made")
    func closed() async throws {
        try await SaleRig.with(units: [10]) { rig async throws in
            let control = control(rig)
            #expect(await control.close().succeeded)
            for units: Int64 in [-1, 1] { #expect(await control.restock(Self.sku, units: units).succeeded == false) }
            #expect(try await rig.counters().allocated == 10)
        }
    }
}
