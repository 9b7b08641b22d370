public import Inventory
public import Redis

/// Why the fence let nothing through. Raw values are the reasons that the scripts write.
public enum FenceReason: String, Sendable, Hashable {
    /// The server that answered is a replica: reroute.
    case replica
    /// The bucket's control key is gone: the data was lost, flushed or never loaded.
    case noControl
    /// The server's replication id changed: restarted or promoted since the bucket was opened.
    case lineage
    /// Somebody recovered the bucket: the caller's epoch is old.
    case epoch
    /// The bucket's n is below what the caller has seen: a rollback.
    case behind
    case recovering
    /// The bucket names another sale: it is not this sale's to touch.
    case otherSale
    /// The bucket's state is none that a script of ours writes.
    case badState
    case halted
    case closed
    /// A stock or ledger key is gone.
    case missing
    /// stock + taken ≠ allocated.
    case unbalanced
    /// The outbox is gone.
    case noOutbox
    /// The outbox is ahead of the control: an id would be used twice.
    case reusedID
    /// An entry is gone from the outbox before SQL had it.
    case outboxGap
    /// Only some of an order's lines are in their ledgers.
    case damaged
    /// The script raised an error.
    case scriptFailed
    /// Its node was silent for long: SQL closed it and sells in its place.
    case soldInSQL
    /// Redis has reached its `maxmemory`: nothing was written.
    case outOfMemory
    /// Redis takes no writes: its disk fails, or it has fewer replicas than `min-replicas-to-write`. Nothing was written.
    case takesNoWrites
    /// The user of this process may not write there. Nothing was written.
    case forbidden

    /// Whether the data can no longer be trusted, so that the bucket must be recovered.
    public var needsRecovery: Bool {
        switch self {
        case .noControl, .lineage, .behind, .missing, .unbalanced, .noOutbox, .reusedID, .outboxGap, .damaged,
            .scriptFailed, .soldInSQL, .badState:
            true
        case .replica, .epoch, .recovering, .otherSale, .halted, .closed, .outOfMemory, .takesNoWrites, .forbidden:
            false
        }
    }

    /// What first attempts hear while only the server or the sale stand in the way, and the bucket itself is sound; `nil` for
    /// everything else.
    var passingRefusal: Refusal? {
        switch self {
        case .halted, .closed, .outOfMemory: .halted
        case .takesNoWrites, .forbidden: .unreachable
        default: nil
        }
    }

    /// One plain sentence about a bucket, for events and logs.
    public var sentence: String {
        switch self {
        case .replica: "a replica answered"
        case .noControl: "its control is gone: the node came back empty"
        case .lineage: "the node restarted or was promoted"
        case .epoch: "another recovery has taken it over"
        case .behind: "the node fell back behind what was seen"
        case .recovering: "it is being recovered"
        case .otherSale: "it holds another sale"
        case .badState: "the state in its control is none of ours"
        case .halted: "the sale is halted"
        case .closed: "the sale is closed"
        case .missing: "a stock or ledger key is gone"
        case .unbalanced: "stock + taken ≠ allocated"
        case .noOutbox: "its outbox is gone"
        case .reusedID: "its outbox is ahead of its control"
        case .outboxGap: "entries are gone from its outbox"
        case .damaged: "its ledgers disagree about an order"
        case .scriptFailed: "its keys have the wrong type"
        case .soldInSQL: "its node is silent, so SQL has closed it and sells in its place"
        case .outOfMemory: "the node's memory is full"
        case .takesNoWrites: "the node takes no writes: look at its disk and its replicas"
        case .forbidden: "this user may not write there: sellout doctor prints the ACL rules that it lacks"
        }
    }
}

/// The answer of a script behind the fence.
public enum ScriptAnswer: Sendable {
    /// - n: of the bucket after the call.
    /// - results: a letter for each order, or one letter.
    /// - duplicates: position of an order → n of the entry that took it.
    /// - stocks: units left, by key pair of the call.
    case done(n: Int64, results: [UInt8], duplicates: [Int: Int64], stocks: [Int64])
    case fenced(FenceReason, epoch: Epoch?)
    /// Not an answer of ours.
    case unreadable

    public init(_ reply: RedisReply) {
        guard let values = reply.array, let first = values.first?.int else {
            self = .unreadable
            return
        }
        if first == -1 {
            let reason = values.count > 1 ? values[1].string.flatMap(FenceReason.init(rawValue:)) : nil
            let epoch = values.count > 2 ? values[2].int.map(Epoch.init(rawValue:)) : nil
            self = .fenced(reason ?? .scriptFailed, epoch: epoch)
            return
        }
        guard values.count >= 3, let results = values[1].bytes, let list = values[2].string else {
            self = .unreadable
            return
        }
        var duplicates: [Int: Int64] = [:]
        for item in list.split(separator: " ") {
            let parts = item.split(separator: ":")
            guard parts.count == 2, let position = Int(parts[0]), let n = Int64(parts[1]) else { continue }
            duplicates[position - 1] = n
        }
        self = .done(
            n: first, results: results, duplicates: duplicates, stocks: values.dropFirst(3).map { $0.int ?? 0 })
    }
}
