import Inventory

/// The section on orders over several buckets: each group's entry names all groups, so that whoever meets one alone knows what
/// else belongs to it. Entries without such an order have none, and cost nothing.
extension OutboxBlob {
    /// In the kind's byte.
    static let wideFlag: UInt8 = 0x80

    /// Appends the section, and sets its flag, if one of `orders` is over several buckets.
    static func appendWideSection(_ orders: [Order], to buffer: inout [UInt8]) {
        let places = orders.indices.filter { orders[$0].wide != nil }
        guard !places.isEmpty else { return }
        buffer[1] |= wideFlag
        append(UInt16(places.count), to: &buffer)
        for place in places {
            append(UInt16(place), to: &buffer)
            orders[place].wide!.appendGroups(to: &buffer)
        }
    }
}

extension OutboxBlob.Reader {
    /// Reads the section: puts the whole order into each group that it names. False if it is not one, or if an order's digest fits
    /// neither its own lines nor the section.
    ///
    /// - Parameter digests: by the orders' places, of those whose own lines do not give them.
    mutating func wideSection(_ orders: inout [Order], _ digests: [Int: OrderDigest]) -> Bool {
        guard let count = integer(UInt16.self), Int(count) == digests.count else { return false }
        var named = 0
        for _ in 0..<count {
            guard let place = integer(UInt16.self).map(Int.init), let digest = digests[place],
                orders[place].wide == nil,
                let wide = WideOrder.read(
                    flow: orders[place].flow, bytes, at: &position, buyer: orders[place].buyer), wide.digest == digest,
                let order = wide.order(in: orders[place].bucket), order.lines == orders[place].lines
            else { return false }
            orders[place] = order
            named += 1
        }
        return named == digests.count
    }
}
