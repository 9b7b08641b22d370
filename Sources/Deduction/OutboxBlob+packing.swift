import Inventory
import Redis

/// Packing a call's orders straight into the command that carries them.
extension OutboxBlob {
    /// Bytes of an order besides its lines: flow, digest, number of lines.
    private static let orderBytes = 23
    private static let lineBytes = 8

    /// Appends the blob of a call's tickets, as `OutboxBlob.bytes` would write it.
    static func append(_ call: LaneState.Call, milliseconds: UInt64, to script: inout ScriptCall) {
        var byteCount = headerBytes
        for ticket in call.tickets {
            // Rare, and they need sections of their own.
            guard ticket.order.buyer == nil, ticket.order.wide == nil else {
                let orders = call.tickets.map(\.order)
                let payload: Payload = call.purpose == .deduct ? .deduct(orders) : .release(orders)
                return script.append(OutboxBlob(milliseconds: milliseconds, payload: payload).bytes)
            }
            byteCount += orderBytes + lineBytes * ticket.order.lines.count
        }
        precondition(call.tickets.count <= orderCountMax)
        script.append(byteCount: byteCount) { bytes in
            var place = 0
            func put<Value: FixedWidthInteger>(_ value: Value) {
                bytes.storeBytes(of: value, toByteOffset: place, as: Value.self)
                place += MemoryLayout<Value>.size
            }
            put(version)
            put(call.purpose == .deduct ? 1 as UInt8 : 2)
            put(UInt32(truncatingIfNeeded: milliseconds).littleEndian)
            put(UInt16(truncatingIfNeeded: milliseconds >> 32).littleEndian)
            put(UInt16(call.tickets.count).littleEndian)
            for ticket in call.tickets {
                put(ticket.order.flow.high.bigEndian)
                put(ticket.order.flow.low.bigEndian)
                ticket.order.digest.write(to: UnsafeMutableRawBufferPointer(rebasing: bytes[place..<place + 6]))
                place += 6
                put(UInt8(ticket.order.lines.count))
                for line in ticket.order.lines {
                    put(line.sku.rawValue.littleEndian)
                    put(line.quantity.littleEndian)
                }
            }
        }
    }
}
