public import Inventory
public import Redis
import Synchronization

/// Orders a second that an engine lets through, to one SKU or to one node; off unless configured.
///
/// They protect a node that also serves others, or a SKU whose demand would starve its neighbours' bucket. Each engine counts its
/// own orders.
public struct RateLimits: Sendable, Hashable {
    /// Orders a second for each SKU, 1 or more; `nil`: any number.
    public var perSKU: Double?
    /// Orders a second for each node, 1 or more; `nil`: any number.
    public var perNode: Double?
    /// What may come at once after a pause, in seconds of the rate.
    public static let burstSeconds = 0.1

    public init(perSKU: Double? = nil, perNode: Double? = nil) {
        self.perSKU = perSKU
        self.perNode = perNode
    }

    public var isOff: Bool { perSKU == nil && perNode == nil }
}

/// A token bucket: tokens come at a rate, up to a burst; each order takes one. Calls may come on any thread.
final class TokenBucket: Sendable {
    private struct State {
        var tokens: Double
        var filledAt: ContinuousClock.Instant?
        var turnedAway: Int64 = 0
    }

    private let perSecond: Double
    private let burst: Double
    private let state: Mutex<State>

    init(perSecond: Double) {
        self.perSecond = perSecond
        burst = max(1, perSecond * RateLimits.burstSeconds)
        state = Mutex(State(tokens: burst))
    }

    /// Takes a token; false: there is none.
    func take(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            if let before = state.filledAt, now > before {
                state.tokens = min(burst, state.tokens + perSecond * (before.duration(to: now) / .seconds(1)))
            }
            state.filledAt = max(now, state.filledAt ?? now)
            guard state.tokens >= 1 else {
                state.turnedAway += 1
                return false
            }
            state.tokens -= 1
            return true
        }
    }

    /// Gives back a token that was taken for an order which another bucket turned away.
    func giveBack() { state.withLock { $0.tokens = min(burst, $0.tokens + 1) } }

    var turnedAway: Int64 { state.withLock { $0.turnedAway } }
}

/// The token buckets of an engine.
final class RateGate: Sendable {
    private let limits: RateLimits
    /// By the position of an SKU in the catalogue; empty without a limit.
    private let skus: [TokenBucket]
    /// Made when a node is first asked.
    private let nodes = Mutex<[RedisAddress: TokenBucket]>([:])

    init(_ limits: RateLimits, skus count: Int) {
        self.limits = limits
        skus = limits.perSKU.map { rate in (0..<count).map { _ in TokenBucket(perSecond: rate) } } ?? []
    }

    /// Whether an order may go out: every one of its SKUs and nodes has a token for it, or none is taken.
    func admits(skus positions: [Int], nodes addresses: Set<RedisAddress>, now: ContinuousClock.Instant) -> Bool {
        var taken: [TokenBucket] = []
        let wanted =
            (skus.isEmpty ? [] : positions.map { skus[$0] })
            + (limits.perNode == nil ? [] : addresses.map(bucket(of:)))
        for bucket in wanted {
            guard bucket.take(at: now) else {
                for bucket in taken { bucket.giveBack() }
                return false
            }
            taken.append(bucket)
        }
        return true
    }

    private func bucket(of node: RedisAddress) -> TokenBucket {
        nodes.withLock { nodes in
            if let known = nodes[node] { return known }
            let new = TokenBucket(perSecond: limits.perNode ?? 1)
            nodes[node] = new
            return new
        }
    }

    func turnedAway(sku position: Int) -> Int64 { skus.isEmpty ? 0 : skus[position].turnedAway }

    func turnedAway(node: RedisAddress) -> Int64 { nodes.withLock { $0[node] }?.turnedAway ?? 0 }
}

/// Limits on the rate of orders, and what they turned away.
extension DeductionEngine {
    public var rateLimits: RateLimits { configuration.rateLimits }

    /// Orders that a SKU's limit turned away, by its position in the catalogue.
    public func turnedAway(skuAt position: Int) -> Int64 { gate?.turnedAway(sku: position) ?? 0 }

    /// Orders that a node's limit turned away.
    public func turnedAway(node: RedisAddress) -> Int64 { gate?.turnedAway(node: node) ?? 0 }

    /// Whether the limits let an attempt through. One whose outcome is unknown always goes: its answer must not wait.
    func isWithinRates(_ order: Order, _ attempt: Attempt) -> Bool {
        guard let gate, attempt != .afterUnknown else { return true }
        var nodes: Set<RedisAddress> = []
        if configuration.rateLimits.perNode != nil {
            for group in order.groups {
                guard let position = catalogue.position(of: group.bucket) else { continue }
                if let node = cluster.master(ofSlot: lanes[position].keys.slot) { nodes.insert(node) }
            }
        }
        let skus = order.allLines.compactMap { catalogue.position(of: $0.sku) }
        return gate.admits(skus: skus, nodes: nodes, now: clock.now)
    }
}
