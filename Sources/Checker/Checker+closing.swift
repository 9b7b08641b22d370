import Inventory

/// A sale that was closed for good: nothing is sold after it, nothing stays reserved, and the books that were printed are what both
/// stores hold.
extension Checker {
    mutating func checkClosing() {
        if let closedAt = stories.closedAt {
            for question in stories.questions where question.operation == .deduct && question.askedAt >= closedAt {
                // Who asks again hears their own yes; nobody gets a new one.
                guard question.isDone, !question.isDuplicate, let flow = question.flow else { continue }
                verdict.violate(
                    .closedBooks, flow,
                    "told yes at \(question.answeredAt) us, of a sale that was closed at \(closedAt)")
            }
        }
        guard let books = final.closedBooks, isWhole else { return }
        if !books.isClean {
            verdict.lose(.closedBooks, nil, isAllowed: mayLose, "the sale did not close clean: \(books.sentence)")
            return
        }
        for order in final.orders where order.state == .reserved || order.state == .partial {
            verdict.violate(.closedBooks, order.flow, "still \(order.state.rawValue) though the books were made")
        }
        func expect(_ what: String, _ printed: Int64?, _ held: Int64) {
            guard printed != held else { return }
            verdict.violate(
                .closedBooks, nil, "the books say \(what) \(printed.map(String.init) ?? "?"), the stores hold \(held)")
        }
        expect("allocated", books.allocated, final.skus.reduce(0) { $0 + $1.allocated })
        expect("sold", books.sold, final.skus.reduce(0) { $0 + $1.sold })
        expect("reserved", books.reserved, final.skus.reduce(0) { $0 + $1.reserved })
        expect("stock", books.stock, final.skus.reduce(0) { $0 + ($1.redisStock ?? 0) })
        expect("orders sold", books.soldOrders, Int64(final.orders.count { $0.state == .sold }))
    }
}
