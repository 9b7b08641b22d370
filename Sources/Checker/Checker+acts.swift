import Inventory

/// Whether every act on the sale reached every bucket: halted, open, frozen and thawed as SQL decided, whoever died meanwhile.
extension Checker {
    mutating func checkActs() {
        for bucket in final.buckets {
            // What is closed for a recovery says so elsewhere.
            guard let state = bucket.state, let redisState = bucket.redisState, redisState != "recovering" else {
                continue
            }
            // A sale that is only warmed sells nothing yet.
            let expected = state == "warmed" ? "halted" : state
            let acts = "act \(bucket.act ?? 0), of which Redis has heard of act \(bucket.redisAct ?? 0)"
            if redisState != expected {
                verdict.violate(
                    .missedAct, nil, "bucket \(bucket.tag): SQL says \(expected), Redis \(redisState), at \(acts)")
            } else if let act = bucket.act, act != bucket.redisAct ?? 0 {
                verdict.violate(.missedAct, nil, "bucket \(bucket.tag) is \(state) and SQL is at \(acts)")
            }
        }
        for sku in final.skus {
            guard let isFrozen = sku.isFrozen, let inRedis = sku.redisIsFrozen, isFrozen != inRedis else { continue }
            verdict.violate(
                .missedAct, nil,
                "SKU \(sku.sku.rawValue): SQL says \(isFrozen ? "frozen" : "not frozen"), Redis the other")
        }
    }
}
