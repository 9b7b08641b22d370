public import Inventory

/// What a run's sale promised, so that a loss which the promise allows is told apart from a broken promise.
public struct Promise: Sendable {
    /// A fault's name in `HistoryEvent.subject`. The rig may use others; these are known to cost data of a master.
    public enum Fault {
        public static let masterKill = "masterKill"
        public static let flushAll = "flushAll"
        public static let keyLoss = "keyLoss"
        public static let aofCut = "aofCut"
        public static let promotion = "promotion"
        public static let rollback = "rollback"
        public static let clockJump = "clockJump"

        /// After one of these what Redis holds may differ from what it was told; after any other fault it may not.
        public static let changesData: Set<String> = [masterKill, flushAll, keyLoss, aofCut, promotion, rollback]
    }

    public var durability: Durability
    /// Acknowledged orders may be lost, and units sold twice, once one of these was done to the system; never before.
    public var losesAfter: Set<String>
    /// Acknowledged orders per second before the first fault, below which a run does not count; `nil`: any run counts.
    public var acknowledgedPerSecondMin: Double? = 50
    /// From the last heal to books that agree.
    public var driftSettlesWithinMicroseconds: Int64 = 10_000_000
    /// How old what an engine knows may be when it tells a first attempt that its SKUs are sold out.
    public var soldOutAgeMicrosecondsMax: Int64 = 100_000
    /// Units of one SKU that one buyer may hold; `nil`: as many as there are.
    public var unitsPerBuyerMax: Int64?
    /// How long a reservation waits for its payment; `nil`: nobody says. Clocks that were turned (`clockJump`) end this promise:
    /// deadlines are wall time.
    public var reservationTimeoutMicroseconds: Int64?

    public init(durability: Durability, losesAfter: Set<String>) {
        self.durability = durability
        self.losesAfter = losesAfter
    }

    /// The promise of a durability: `durable` loses nothing. Every other loses what was taken out of its servers' memory and files
    /// on purpose; `memory` also what a killed master had, and what a promoted replica had not. A yes that rests on every replica
    /// of a fleet outlives its master, whichever is promoted: for fewer, add `promotion`.
    public init(_ durability: Durability) {
        var losses: Set<String> = [Fault.flushAll, Fault.keyLoss, Fault.aofCut, Fault.rollback]
        switch durability {
        case .durable: losses = []
        case .memory: losses.formUnion([Fault.masterKill, Fault.promotion])
        case .aof: losses.insert(Fault.promotion)
        case .replicated: break
        }
        self.init(durability: durability, losesAfter: losses)
    }
}
