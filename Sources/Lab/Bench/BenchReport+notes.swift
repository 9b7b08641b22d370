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
        let stalls = machine.stalls
        if stalls.longestMilliseconds > 0 {
            notes.append(
                """
                The machine itself held up threads that wanted nothing but to run: \(Self.fixed(100 * stalls.share)) % of half a second, \
                \(Self.fixed(stalls.longestMilliseconds, 1)) ms at once. No p99 can be better than what that costs.
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

    /// Measured while the script and the engine were tuned, so that nobody needs to try it again; on a virtual machine whose speed
    /// changed by a factor of two within minutes, so differences below a tenth say nothing.
    private static let tried = [
        """
        Of the server's time in `combined-1024`, more than half is the ledger's HSET: a hash that grows past the caches costs a miss \
        or more in `dictFind` for each new field, and moving its entries to larger tables in `dictRehash` some more. Native HSETs \
        of 512 new fields cost about 0.8 µs a field on a hash of 400 thousand fields, about 0.45 on one of 50 thousand.
        """,
        """
        What helped in the script: one blob of 512 orders a call; flows read by one `struct.unpack` into the very table that HSET \
        takes; a ledger entry made once for all orders that are alike; no table of results while all are done.
        """,
        """
        What helped in the engine: a second call of a bucket under way where at least half a call waits (the server then never waits \
        for the thread that answers callers); callers who ask without a change of threads; an order whose one line lies in it; a \
        queue in the portions that calls take, so that nothing is copied under the lock; clocks read only where something was heard \
        that might refuse. In the bench, callers' thread that looks a few times before it sleeps, and not often: two processors of a \
        rented machine mostly share a core, and whatever one does slows the other. By itself the script takes 1.25 µs an order.
        """,
        """
        What did not: leaving out the HMGET that looks for flows (the misses move to the HSET); leaving out the check for a flow \
        twice in one call; huge pages for the server; `activerehashing no`; calls of 256 or 1,024 orders, three calls under way; \
        short scheduler slices for the connection's thread; callers on an actor of their own (a continuation resumes on the shared \
        pool first). MGET and MSET in place of GET and DECRBY cost more below five SKUs a \
        call (1.3 → 2.4 µs for one) and less above seven (11 → 8 for ten), so the script branches; for orders that share a call it \
        is nothing either way.
        """,
    ]
}
