/// Who waits for a bucket, in the order of asking, in the portions in which calls take them: a call takes the first portion as it
/// is, so that no ticket is copied or moved while callers wait for the lane's lock.
struct TicketQueue {
    /// Tickets in a portion.
    let portionMax: Int
    private(set) var count = 0
    /// All but the last are full; those before `head` are taken.
    private var portions: [[Ticket]] = []
    private var head = 0

    init(portionMax: Int) { self.portionMax = portionMax }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ ticket: Ticket) {
        count += 1
        let last = portions.count - 1
        if last >= head, portions[last].count < portionMax {
            portions[last].append(ticket)
            return
        }
        var portion: [Ticket] = []
        portion.reserveCapacity(portionMax)
        portion.append(ticket)
        portions.append(portion)
    }

    /// The next portion; empty if nobody waits.
    mutating func takeFirst() -> [Ticket] {
        guard head < portions.count else { return [] }
        var portion: [Ticket] = []
        swap(&portion, &portions[head])
        head += 1
        count -= portion.count
        // What was taken is dropped once it is most of the array, so that each is moved once at most on average.
        if head == portions.count {
            portions.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 32, head * 2 > portions.count {
            portions.removeFirst(head)
            head = 0
        }
        return portion
    }

    /// Empties the queue.
    mutating func takeAll() -> [Ticket] {
        let all = Array(portions[head...].joined())
        self = TicketQueue(portionMax: portionMax)
        return all
    }
}
