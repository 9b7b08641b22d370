import Inventory

/// The planted bugs, in the order in which they are listed.
extension Plant {
    public static let all: [Plant] = [
        noDedupe, flowTwiceInOneCall, ackBeforeCommit, commitWithoutEpoch, fenceWithoutLineage, foldBeforeClose,
        reopenOldEpoch, missingReadAsZero, doubleRelease, giveBackInRedisFirst, unknownIsRefused, trimTooEarly,
        repairBySet, releaseWithoutTombstone, restockAgain, actSentOnce,
    ]

    /// Replaces a part of a script's text; a text that is not there is a plant that would test nothing.
    private static func replacing(
        _ old: String, with new: String, in names: Set<String>?
    ) -> @Sendable (_ name: String, _ source: String) -> String {
        { name, source in
            guard names?.contains(name) ?? source.contains(old) else { return source }
            precondition(source.contains(old), "\(name).lua has changed: plant \(old) anew")
            return source.replacing(old, with: new)
        }
    }

    static let noDedupe = Plant(
        name: "no-dedupe", breaks: "A flow that is asked again takes its units again.",
        means: "deduct.lua does not look at what the ledger has recorded.",
        script: replacing("entry = recorded(i)", with: "entry = nil", in: ["deduct"]))

    static let flowTwiceInOneCall = Plant(
        name: "flow-twice-in-one-call", breaks: "A flow that stands twice in one call takes its units twice.",
        means: "deduct.lua forgets what it took earlier in the same call.",
        script: replacing("if earlier then", with: "if false then", in: ["deduct"]),
        scenario: { scenario in
            scenario.crowd()
            scenario.doubleClicks = 0.6
        })

    static let ackBeforeCommit = Plant(
        name: "ack-before-commit", breaks: "At `durable` the yes is said when Redis took the order, before SQL has it.",
        means: "A decorator tells the service that the sale promises only `memory`.",
        ports: { ($0.redis, StoreThatPromisesLess(base: $0.store)) },
        scenario: { scenario in
            scenario.crowd()
            scenario.durability = .durable
            scenario.troubles.formUnion([.dataLoss, .links])
        })

    static let commitWithoutEpoch = Plant(
        name: "commit-without-epoch",
        breaks: "What was taken under an epoch that has ended is committed all the same, beside the rebuilt stock.",
        means: "A decorator commits stale entries once more under the bucket's present epoch.",
        ports: { ($0.redis, StoreWithoutEpochs(base: $0.store)) },
        scenario: { scenario in
            scenario.crowd()
            scenario.buyers = 180
            scenario.durability = .durable
            scenario.troubles = [.stalls]
            scenario.rush = .seconds(2)
            scenario.doubleClicks = 0.7
            // Long enough for a server to lose what a process has not written in SQL yet.
            scenario.storeDelayMax = .milliseconds(60)
            scenario.plenty()
        })

    static let fenceWithoutLineage = Plant(
        name: "fence-without-lineage",
        breaks: "A server that restarted with less, or a replica that was promoted without its tail, is sold from.",
        means: "fence.lua and cut.lua take every lineage for the right one.",
        script: { name, source in
            let cut = replacing("values[4] == lineage and 1 or 0", with: "1", in: ["cut"])(name, source)
            return replacing("control[3] ~= lineage", with: "false", in: nil)(name, cut)
        },
        scenario: { scenario in
            scenario.crowd()
            scenario.durability = .durable
            scenario.troubles = [.stalls]
            scenario.rush = .milliseconds(1_500)
            scenario.storeDelayMax = .milliseconds(20)
            scenario.plenty()
        })

    static let foldBeforeClose = Plant(
        name: "fold-before-close",
        breaks: "A recovery folds the books while Redis still takes orders, and rebuilds without those.",
        means: "A decorator holds back close.lua until the rebuilding begins.",
        ports: { (RedisClosedLate(base: $0.redis), $0.store) },
        scenario: { scenario in
            scenario.crowd()
            scenario.durability = .memory
            scenario.troubles = []
            scenario.rush = .milliseconds(800)
            scenario.paymentFailure = 0.05
            // Buckets that sell are rebuilt by hand.
            scenario.acts = 15
            scenario.actPause = .milliseconds(60)
            scenario.rebuilds = 1
            scenario.plenty()
        })

    static let reopenOldEpoch = Plant(
        name: "reopen-old-epoch",
        breaks: "A bucket whose server changed is opened again under its old epoch, so that two entries share an id.",
        means: "fence.lua and cut.lua write the new lineage into the control and go on.",
        script: { name, source in
            let cut = replacing(
                "values[4] == lineage and 1 or 0",
                with: "(values[1] and redis.call('HSET', KEYS[1], 'lineage', lineage) and 1 or 0)", in: ["cut"]
            )(name, source)
            return replacing(
                "if control[3] ~= lineage then return nil, fenced('lineage', epoch) end",
                with: "if control[3] ~= lineage then redis.call('HSET', KEYS[1], 'lineage', lineage) end", in: nil
            )(name, cut)
        },
        scenario: { scenario in
            scenario.crowd()
            scenario.durability = .durable
            scenario.troubles = [.stalls]
            scenario.rush = .milliseconds(1_500)
            scenario.storeDelayMax = .milliseconds(20)
            scenario.plenty()
        })

    static let missingReadAsZero = Plant(
        name: "missing-read-as-zero", breaks: "A stock key that is gone reads as sold out.",
        means: "fence.lua takes a missing stock for 0 and does not weigh it against what is taken.",
        script: { name, source in
            let read = replacing(
                "local stock = tonumber(found or nil)", with: "local stock = tonumber(found or '0')", in: nil)(
                    name, source)
            return replacing(
                "stock + sku.taken ~= sku.allocated then return nil, 'unbalanced'",
                with: "found and stock + sku.taken ~= sku.allocated then return nil, 'unbalanced'", in: nil)(name, read)
        },
        scenario: { scenario in
            scenario.crowd()
            scenario.durability = .durable
            scenario.troubles = [.keyLoss]
            scenario.lostKeys = .stocks
            scenario.rush = .milliseconds(400)
            scenario.faultPause = .milliseconds(30)
            scenario.stragglers = 0.8
            scenario.acts = 0
            scenario.plenty()
        })

    static let doubleRelease = Plant(
        name: "double-release", breaks: "A reservation that is given back twice returns its units twice.",
        means: "release.lua does not tell a cancelled flow from a taken one.",
        script: { name, source in
            guard name == "release" else { return source }
            let again = replacing("if kind == 'c' then", with: "if false then", in: ["release"])(name, source)
            return replacing(
                "kind == 't' and units ~= '0'", with: "units and units ~= '0'", in: ["release"])(name, again)
        },
        scenario: { $0.troubles.insert(.links) })

    static let giveBackInRedisFirst = Plant(
        name: "give-back-in-redis-first",
        breaks: "A failed payment's units are on sale in Redis before SQL has decided that they may be.",
        means: "A decorator before the order store releases in Redis, then commits.",
        ports: { ($0.redis, StoreThatGivesBackFirst(base: $0.store, redis: $0.redis)) },
        scenario: { scenario in
            scenario.crowd()
            scenario.buyers = 180
            scenario.paymentFailure = 0.8
            scenario.secondCards = 0.9
            scenario.troubles = [.sql, .crashes]
        })

    static let unknownIsRefused = Plant(
        name: "unknown-is-refused", breaks: "A call whose answer was lost counts as surely not done.",
        means: "A decorator turns every unknown outcome of Redis into a refusal.",
        ports: { (RedisThatRefuses(base: $0.redis), $0.store) },
        scenario: { scenario in
            scenario.crowd()
            scenario.troubles = [.links]
            scenario.faultPause = .milliseconds(100)
            scenario.plenty()
        })

    static let trimTooEarly = Plant(
        name: "trim-too-early", breaks: "The outbox loses entries that SQL does not have yet.",
        means: "A decorator turns every trim into one that keeps the newest entry alone.",
        ports: { (RedisThatTrims(base: $0.redis), $0.store) },
        scenario: { scenario in
            scenario.durability = .memory
            scenario.troubles = [.sql]
        })

    static let repairBySet = Plant(
        name: "repair-by-set", breaks: "A repair overwrites what was sold while it was thought about.",
        means: "A decorator reads stock and control, repairs, and then sets both to what it had read.",
        ports: { (RedisRepairedBySet(base: $0.redis), $0.store) },
        scenario: { scenario in
            scenario.crowd()
            scenario.durability = .durable
            scenario.troubles = [.meddling]
            scenario.acts = 0
        })

    static let releaseWithoutTombstone = Plant(
        name: "release-without-tombstone", breaks: "A cancelled order that arrives after its cancellation is taken.",
        means: "release.lua writes nothing for a flow that it does not know.",
        script: { name, source in
            guard name == "release" else { return source }
            return replacing(
                "local function write(i, pair, quantity, back)",
                with: "local function write(i, pair, quantity, back)\n  if not back then return end", in: ["release"]
            )(name, source)
        },
        scenario: { $0.durability = .memory })

    static let restockAgain = Plant(
        name: "restock-again", breaks: "A recovery adds a restock that the books contain already.",
        means: "A decorator adds the last restock of each SKU to what SQL folded.",
        ports: { ($0.redis, StoreThatRestocksAgain(base: $0.store)) },
        scenario: { scenario in
            scenario.troubles.insert(.lineage)
            scenario.acts = 12
            scenario.actPause = .milliseconds(300)
            scenario.rebuilds = 0.4
        })

    static let actSentOnce = Plant(
        name: "act-sent-once", breaks: "A bucket that did not hear an act on the sale never hears of it.",
        means: "A decorator names each act to a process once.",
        ports: { ($0.redis, StoreThatNamesActsOnce(base: $0.store)) },
        scenario: { scenario in
            scenario.troubles = [.links]
            scenario.processes = 1
            scenario.faultPause = .milliseconds(60)
            scenario.rush = .seconds(2)
            scenario.acts = 12
            scenario.actPause = .milliseconds(300)
            scenario.rebuilds = 0
        })
}
