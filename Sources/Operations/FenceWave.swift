/// How far a node's buckets have come since the first of them was fenced: from a node's death to the last of its buckets that opens.
struct FenceWave: Hashable {
    /// Every bucket that was fenced in this wave, by position.
    private(set) var members: Set<Int> = []
    private(set) var fenced: Set<Int> = []

    /// Buckets of the last wave that are open again.
    var recovered: Int { members.count - fenced.count }

    /// What is fenced now. After a moment without any, the next fence begins another wave.
    mutating func take(_ now: Set<Int>) {
        if fenced.isEmpty && !now.isEmpty { members = [] }
        members.formUnion(now)
        fenced = now
    }
}
