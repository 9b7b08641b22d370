/// Which master serves which slots, as one node told it.
struct SlotMap: Equatable {
    struct Assignment: Equatable {
        let slots: ClosedRange<Int>
        let master: RedisAddress
    }

    let assignments: [Assignment]

    init(_ assignments: [Assignment]) { self.assignments = assignments }

    /// Reads the reply of CLUSTER SLOTS: `[first, last, [host, port, id, …], replicas…]` a range.
    ///
    /// - Parameter asked: the node that answered. It leaves its own host out when it does not know it.
    /// - Returns: `nil` when the reply has another shape.
    init?(reply: RedisReply, asked: RedisAddress) {
        guard let ranges = reply.array else { return nil }
        var assignments: [Assignment] = []
        for range in ranges {
            guard let fields = range.array, fields.count >= 3, let first = fields[0].int, let last = fields[1].int,
                0 <= first, first <= last, last < HashSlot.count, let node = fields[2].array, node.count >= 2,
                let port = node[1].int
            else { return nil }
            let host = node[0].string ?? ""
            assignments.append(
                Assignment(
                    slots: Int(first)...Int(last),
                    master: RedisAddress(host: host.isEmpty || host == "?" ? asked.host : host, port: Int(port))))
        }
        self.assignments = assignments
    }

    /// Every slot on one server.
    static func single(_ address: RedisAddress) -> SlotMap {
        SlotMap([Assignment(slots: 0...(HashSlot.count - 1), master: address)])
    }
}

/// Where MOVED or ASK sends a command.
struct Redirection: Equatable {
    let slot: Int
    let address: RedisAddress

    /// Reads `MOVED 3999 127.0.0.1:6381` or `ASK …`; an empty host means the host of the node that answered.
    init?(serverText: String, asked: RedisAddress) {
        let words = serverText.split(separator: " ")
        guard words.count >= 3, let slot = Int(words[1]), (0..<HashSlot.count).contains(slot),
            let colon = words[2].lastIndex(of: ":"), let port = Int(words[2][words[2].index(after: colon)...])
        else { return nil }
        let host = words[2][..<colon]
        self.slot = slot
        address = RedisAddress(host: host.isEmpty || host == "?" ? asked.host : String(host), port: port)
    }
}
