import Inventory
import OrderStore
import Redis
import SaleRig
import Telemetry
import Testing

@testable import Deduction

/// Two engines sell out of one bucket: what one of them refuses by itself stays true to what happened elsewhere.
@Suite("Refusals without Redis, with another engine about", .timeLimit(.minutes(5)))
struct TwoEnginesTests {
    static let yes = DeductionOutcome.done(duplicate: false)
    static let bound = Duration.milliseconds(Int64(LocalRefusals.trustMilliseconds))

    private func withEngines(
        units: [Int64], durability: Durability,
        _ body: (SaleRig, _ one: DeductionEngine, _ other: DeductionEngine, BucketActs) async throws -> Void
    ) async throws {
        try await SaleRig.with(units: units, durability: durability) { rig async throws in
            let (one, other) = (try await rig.makeEngine(), try await rig.makeEngine())
            let acts = BucketActs(
                catalogue: rig.catalogue, cluster: rig.cluster, scripts: rig.scripts, store: rig.store)
            try await SaleRig.running([{ await one.run() }, { await other.run() }]) {
                try await body(rig, one, other, acts)
            }
        }
    }

    /// Has an engine refuse by itself.
    private func expectLocal(_ refusal: Refusal, _ engine: DeductionEngine, _ order: () -> Order) async throws {
        try await eventually("it refuses without Redis") {
            let calls = engine.meter.snapshot.calls
            let outcome = await engine.deduct(order(), attempt: .first)
            #expect(outcome == .refused(refusal))
            return engine.meter.snapshot.calls == calls
        }
    }

    /// Asks until yes. Whatever is asked more than the bound after now must be taken.
    private func expectYes(after refusal: Refusal, _ engine: DeductionEngine, _ order: () -> Order) async {
        let changedAt = ContinuousClock.now
        while true {
            let askedAt = ContinuousClock.now
            let outcome = await engine.deduct(order(), attempt: .first)
            if outcome == Self.yes { return }
            #expect(outcome == .refused(refusal))
            guard askedAt - changedAt < Self.bound else {
                Issue.record("refused \(askedAt - changedAt) after it was no longer true")
                return
            }
            await Task.yield()
        }
    }

    @Test("a restock and a release by the other one arrive within the bound", arguments: Durability.anywhere)
    func units(durability: Durability) async throws {
        try await withEngines(units: [1], durability: durability) { rig, one, other, acts async throws in
            let bought = rig.order()
            #expect(await one.deduct(bought, attempt: .first) == Self.yes)
            try await expectLocal(.soldOut, other) { rig.order() }
            #expect(await one.cancel(bought) == .cancelled)
            await expectYes(after: .soldOut, other) { rig.order() }

            try await expectLocal(.soldOut, other) { rig.order() }
            let restock = try await rig.store.restock(SKUNumber(rawValue: 1), units: 3)
            #expect(await acts.apply(restock, patience: .seconds(1)) == .applied)
            await expectYes(after: .soldOut, other) { rig.order() }
        }
    }

    @Test("a thaw and a reopening arrive within the bound", arguments: Durability.anywhere)
    func states(durability: Durability) async throws {
        try await withEngines(units: [9], durability: durability) { rig, one, other, acts async throws in
            let sku = SKUNumber(rawValue: 1)
            for isOn in [true, false] {
                _ = try await rig.store.setFrozen(sku, isOn)
                #expect(await acts.tell(bucketOf: sku, patience: .seconds(1)) == .applied)
                if isOn { try await expectLocal(.frozen, other) { rig.order() } }
            }
            await expectYes(after: .frozen, other) { rig.order() }

            for (from, to) in [(SaleState.open, SaleState.halted), (.halted, .open)] {
                _ = try await rig.store.setSaleState(from: [from], to: to)
                #expect(await acts.tellAll(patience: .seconds(1)).values.allSatisfy { $0 == .applied })
                if to == .halted { try await expectLocal(.halted, other) { rig.order() } }
            }
            await expectYes(after: .halted, other) { rig.order() }
        }
    }

    @Test("a flow that the other one took hears its own yes, though units came and went meanwhile")
    func repeated() async throws {
        try await withEngines(units: [2], durability: .memory) { rig, one, other, _ async throws in
            let early = rig.order()
            #expect(await one.deduct(early, attempt: .first) == Self.yes)
            let given = rig.order()
            #expect(await one.deduct(given, attempt: .first) == Self.yes)
            try await expectLocal(.soldOut, other) { rig.order() }
            // Made after the other one heard that nothing is left, and taken between two of its looks.
            #expect(await one.cancel(given) == .cancelled)
            let late = rig.order()
            #expect(await one.deduct(late, attempt: .first) == Self.yes)
            try await expectLocal(.soldOut, other) { rig.order() }
            for order in [early, late] {
                #expect(await other.deduct(order, attempt: .repeated) == .done(duplicate: true))
                #expect(await other.deduct(order) == .done(duplicate: true))
            }
            // A no that was heard before is no promise: after a release the same flow may be taken.
            let refused = rig.order()
            #expect(await other.deduct(refused, attempt: .first) == .refused(.soldOut))
            #expect(await one.cancel(early) == .cancelled)
            #expect(await other.deduct(refused, attempt: .repeated) == Self.yes)
            #expect(await other.deduct(early, attempt: .repeated) == .refused(.cancelled))
        }
    }
}
