/// What the figures of a run say about the limit, and what was tried against it.
extension BenchReport {
    /// One sentence each; the first ones follow from this run's figures.
    var notes: [String] {
        var notes: [String] = []
        for row in [BenchRow.combined1024, .combined4096] {
            guard let found = rows.first(where: { $0.name == row.rawValue }),
                let server = found.serverMicrosecondsPerDeduction, let client = found.clientMicrosecondsPerDeduction,
                found.deductionsPerSecond > 0
            else { continue }
            let each = 1e6 / found.deductionsPerSecond
            notes.append(
                """
                `\(found.name)`: one order every \(Self.fixed(each)) µs; the server's one thread works for \(Self.fixed(server)) of \
                them (\(Self.fixed(100 * server / each, 0)) %), engine and callers for \(Self.fixed(client)): the limit is \
                \(Self.limit(each: each, server: server, client: client, cores: machine.cores)).
                """)
        }
        return notes + Self.tried
    }

    /// A part that works nearly all the time is what everything else waits for.
    private static func limit(each: Double, server: Double, client: Double, cores: Int) -> String {
        let busy = 0.85
        if server >= busy * each { return "the server" }
        if server + client >= busy * each * Double(cores) { return "the machine: all cores are at work" }
        if client >= busy * each { return "engine and callers" }
        return "waiting for one another"
    }

    /// Measured while the script and the engine were tuned, so that nobody needs to try it again.
    private static let tried = [
        """
        Of the server's time in `combined-1024`, more than half is the ledger's HSET: on a hash of 400 thousand fields that grows, \
        native HSETs of 512 new fields cost 0.75 to 0.95 µs a field by themselves (misses of the cache in `dictFind`, moving \
        entries to larger tables in `dictRehash`), on one of 50 thousand 0.45; our script costs 0.5 µs more.
        """,
        """
        What helped there, each against the one before it in interleaved runs: one blob of 512 orders a call; flows read by one \
        `struct.unpack` into the very table that HSET takes; a ledger entry made once for all orders that are alike; no table \
        of results while all are done (together 1.28 → 0.94 µs on a hash of 50 thousand fields, 1.52 → 1.29 on one of 400).
        """,
        """
        What did not: leaving out the HMGET that looks for flows (0.05 µs: the misses move to the HSET); leaving out the check for \
        a flow twice in one call (0.03); huge pages for the server (within the noise); `activerehashing no`; two calls of a \
        bucket in flight, the second one only where a whole one waits (3 and 10 % faster in the medians of four paired runs: \
        within the noise).
        """,
    ]
}
