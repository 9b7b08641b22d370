import Foundation
import GRDB
import Inventory
import Testing

@testable import OrderStore

/// What SQLite's file can be instead of an order store, and what the store says then.
@Suite struct SQLiteFileTests {
    /// The one line with which opening is refused.
    private func refusal(_ path: String, readOnly: Bool = false) -> String {
        do {
            _ = try SQLiteOrderStore.open(path: path, readOnly: readOnly)
            return "opened"
        } catch let error as OrderStoreError {
            #expect(error.outcome == .refused && !error.message.contains("\n"))
            return error.message
        } catch {
            return "another error: \(error)"
        }
    }

    @Test func anotherProgramsFileIsRefusedAndLeftAlone() throws {
        let folder = try TemporaryFolder()
        let setups = [
            "CREATE TABLE theirs(a)", "PRAGMA application_id = 7", "PRAGMA application_id = 7; CREATE TABLE t(a)",
        ]
        for (number, sql) in setups.enumerated() {
            let path = folder.path("\(number).db")
            let queue = try DatabaseQueue(path: path)
            try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
            try queue.close()
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            #expect(refusal(path).contains("another program"))
            #expect(refusal(path, readOnly: true).contains("another program"))
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        }
    }

    /// Whoever may read the file, and write nothing beside it, reads it as it lies, and notices when that changes.
    @Test func aFileAtRestIsReadUntilSomebodyWrites() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("orders #1 100%?.db")
        func entry(_ what: String) -> AuditEntry {
            AuditEntry(
                atMilliseconds: 1, who: "test", origin: "here", what: what, subject: "", before: "", after: "")
        }
        let writer = try SQLiteOrderStore.open(path: path)
        try await writer.audit(entry("before"))
        await writer.close()
        let rest = try #require(FileAtRest(path: path))
        #expect(rest.isUnchanged && FileAtRest(path: folder.path("absent")) == nil)
        let reader = SQLiteOrderStore(
            path: path, isReadOnly: true,
            place: .file(
                PoolInUse(try SQLiteOrderStore.pool(atRest: rest), rest: rest) {
                    try SQLiteOrderStore.pool(path: path, readOnly: true)
                }), clock: .system)
        #expect(try await reader.auditTrail(limit: 9).map(\.what) == ["before"])
        #expect(access("\(path)-wal", F_OK) != 0 && access("\(path)-shm", F_OK) != 0, "reading made no file")

        let again = try SQLiteOrderStore.open(path: path)
        try await again.audit(entry("after"))
        #expect(!rest.isUnchanged && FileAtRest(path: path) == nil)
        #expect(try await reader.auditTrail(limit: 9).map(\.what) == ["after", "before"])
        try await again.audit(entry("and more"))
        #expect(try await reader.auditTrail(limit: 1).map(\.what) == ["and more"])
        await again.close()
        #expect(try await reader.auditTrail(limit: 9).count == 3)
        await reader.close()
    }

    @Test func whoHoldsTheWriteLockIsKnown() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("orders.db")
        let store = try SQLiteOrderStore.open(path: path)
        #expect(await store.writer() == nil)
        var configuration = GRDB.Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: path, configuration: configuration)
        try await other.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
        #expect(await store.writer()?.process == getpid())
        try await other.inDatabase { try $0.execute(sql: "ROLLBACK") }
        #expect(await store.writer() == nil)
        try other.close()
        await store.close()

        let locks = """
            1: POSIX  ADVISORY  READ  77 fe:00:815 128 128
            2: POSIX  ADVISORY  WRITE 412 fe:00:815 120 120
            2: -> POSIX  ADVISORY  WRITE 99 fe:00:815 120 120
            3: POSIX  ADVISORY  WRITE 5 fe:00:816 120 120
            4: FLOCK  ADVISORY  WRITE 6 fe:00:815 0 EOF
            """
        #expect(WriteLock.holder(in: locks, inode: 815) == 412)
        #expect(WriteLock.holder(in: locks, inode: 817) == nil)
        #expect(WriteLock.holder(in: "nonsense\n\n", inode: 815) == nil)
    }

    @Test func whatIsNoDatabaseIsSaidSo() throws {
        let folder = try TemporaryFolder()
        let text = folder.path("notes\u{1b}.txt")
        let bytes = Data(String(repeating: "not a database\n", count: 200).utf8)
        try bytes.write(to: URL(fileURLWithPath: text))
        #expect(refusal(text).contains("not a SQLite database"))
        #expect(!refusal(text).contains("\u{1b}"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: text)) == bytes)
        #expect(refusal(folder.path("notes\u{1b}.txt/orders.db")).contains("is not a folder"))
        #expect(refusal(folder.path("nowhere/orders.db")).contains("does not exist"))
        #expect(refusal(folder.root).contains("it is a folder"))
        #expect(refusal(folder.path("absent.db"), readOnly: true).contains("there is no order store"))
        try Data().write(to: URL(fileURLWithPath: folder.path("empty.db")))
        #expect(refusal(folder.path("empty.db"), readOnly: true).contains("not set up"))
        #expect(refusal(folder.path("empty.db")) == "opened")
    }

    /// A commit to it would be durable for nobody.
    @Test(arguments: [false, true])
    func aFileThatIsDeletedOrReplacedWhileInUseTakesNothingMore(isReplaced: Bool) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("orders.db")
        let store = try SQLiteOrderStore.open(path: path)
        let entry = AuditEntry(
            atMilliseconds: 1, who: "test", origin: "here", what: "look", subject: "", before: "", after: "")
        try await store.audit(entry)
        for suffix in ["", "-wal", "-shm"] { try FileManager.default.removeItem(atPath: path + suffix) }
        if isReplaced { try Data().write(to: URL(fileURLWithPath: path)) }
        for _ in 1...2 {
            let error = await #expect(throws: OrderStoreError.self) { try await store.audit(entry) }
            #expect(error?.outcome == .refused && error?.message.contains("deleted or replaced") == true)
        }
        await store.close()
        #expect(FileManager.default.fileExists(atPath: path) == isReplaced)
    }

    @Test("whoever reads while it is closed hears so")
    func readingWhileClosing() async throws {
        let folder = try TemporaryFolder()
        for round in 0..<20 {
            let store = try SQLiteOrderStore.open(path: folder.path("\(round).db"))
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        do {
                            while true {
                                _ = try await store.buckets()
                                _ = try await store.books(for: [])
                            }
                        } catch {
                            #expect("\(error)".contains("is closed"))
                        }
                    }
                }
                await Task.yield()
                await store.close()
            }
        }
    }

    @Test func aNewerVersionsFileIsRefused() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("orders.db")
        let store = try SQLiteOrderStore.open(path: path)
        await store.close()
        let queue = try DatabaseQueue(path: path)
        try await queue.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99 of the future')") }
        try queue.close()
        #expect(refusal(path).contains("newer version"))
        #expect(refusal(path, readOnly: true).contains("newer version"))
    }

    /// A file of a version that knew no identities gets one when it is opened, and keeps it.
    @Test func anOlderFilesSaleGetsAnIdentityOnce() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("orders.db")
        let draft = SaleDraft(
            name: "s", durability: .durable, skus: [.init(sku: "a", name: "", tag: "t", allocated: 1)])
        var store = try SQLiteOrderStore.open(path: path)
        _ = try await store.createSale(draft)
        #expect(try await store.catalogue().sale == draft.identity)
        await store.close()
        let queue = try DatabaseQueue(path: path)
        try await queue.write {
            try $0.execute(
                sql: """
                    ALTER TABLE sales DROP COLUMN identity;
                    DELETE FROM grdb_migrations WHERE identifier = 'identity of the sale';
                    """)
        }
        try queue.close()
        #expect(refusal(path, readOnly: true).contains("open it once for writing"))
        store = try SQLiteOrderStore.open(path: path)
        let given = try #require(try await store.catalogue().sale)
        #expect(given.rawValue.count == 32 && given != draft.identity)
        await store.close()
        store = try SQLiteOrderStore.open(path: path)
        #expect(try await store.catalogue().sale == given)
        await store.close()
    }

    @Test func aStoreIsReadBackAfterClosingAndCanBeReadOnly() async throws {
        let fixture = try await Fixture(StoreKind.all[0])
        let epoch = try await fixture.open(fixture.bucket)
        try await fixture.settle(epoch, 1, .deduct([fixture.order(1, quantity: 3)]))
        let reader = try SQLiteOrderStore.open(path: fixture.folder.path("orders.db"), readOnly: true)
        #expect(try await reader.skuCounters().first?.reserved == 3)
        let error = await #expect(throws: OrderStoreError.self) {
            try await reader.restock(.init(rawValue: 1), units: 1)
        }
        #expect(error?.outcome == .refused && error?.message.contains("reading only") == true)
        await fixture.store.close()
        await reader.close()
        let again = try SQLiteOrderStore.open(path: fixture.folder.path("orders.db"))
        #expect(try await again.skuCounters().first?.reserved == 3)
        #expect(try await again.buckets().first?.drainedThrough == OutboxID(epoch: epoch, n: 1))
        await again.close()
        // The last one out copies the log into the file and takes it away.
        #expect(!FileManager.default.fileExists(atPath: fixture.folder.path("orders.db-wal")))
        await again.close()
        await #expect(throws: OrderStoreError.self) { try await again.sale() }
        await #expect(throws: OrderStoreError.self) { try await again.restock(.init(rawValue: 1), units: 1) }
    }

    @Test func theFileIsInWriteAheadModeUnderOurName() async throws {
        let fixture = try await Fixture(StoreKind.all[0])
        let queue = try DatabaseQueue(path: fixture.folder.path("orders.db"))
        let (journal, application) = try await queue.read {
            (
                try String.fetchOne($0, sql: "PRAGMA journal_mode"),
                try Int64.fetchOne($0, sql: "PRAGMA application_id")
            )
        }
        #expect(journal == "wal" && application == 0x5345_4C4F)
        try queue.close()
    }

    @Test func aFullDiskIsSaidInOneLineAndLosesNothing() async throws {
        let folder = try TemporaryFolder()
        let mount = folder.path("small")
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        // Only root may mount; elsewhere there is no small disk to fill.
        guard run("/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount) else { return }
        defer { _ = run("/bin/umount", "-l", mount) }
        let store = try SQLiteOrderStore.open(path: mount + "/orders.db")
        _ = try await store.createSale(
            SaleDraft(
                name: "s", durability: .durable, skus: [.init(sku: "a", name: "", tag: "t", allocated: 1_000_000)]))
        let bucket = BucketNumber(rawValue: 1)
        let epoch = try await store.claimEpoch(bucket: bucket, above: .none, by: "t")
        _ = try await store.fold(bucket: bucket, claim: epoch)
        _ = try await store.markOpened(bucket: bucket, claim: epoch)
        var committed: Int64 = 0
        var failure: OrderStoreError?
        for n in 1...1_000 as ClosedRange<Int64> where failure == nil {
            let orders = (0..<500).map {
                Order(
                    trustedFlow: Fixture.flow(Int(n) * 1_000 + $0), bucket: bucket,
                    sortedLines: [OrderLine(sku: SKUNumber(rawValue: 1), quantity: 1)])
            }
            let entry = EntrySettlement(bucket: bucket, id: OutboxID(epoch: epoch, n: n), action: .deduct(orders))
            do {
                _ = try await store.commit(CommitBatch(entries: [entry]))
                committed += 500
            } catch {
                failure = error as? OrderStoreError
            }
        }
        #expect(failure?.message.contains("disk is full") == true)
        #expect(failure?.message.contains("\n") == false)
        let reserved = try await store.skuCounters()[0].reserved
        #expect(reserved == committed || (failure?.outcome == .unknown && reserved == committed + 500))
        await store.close()
    }

    /// Whoever copies the file of a store that was closed copies all of it.
    @Test func aClosedStoreLeavesNoLog() async throws {
        for _ in 0..<100 {
            let fixture = try await Fixture(StoreKind.all[0])
            let store = fixture.store
            // The last thing before the end is read, on several connections.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { _ = try await store.skuCounters() } }
                try await group.waitForAll()
            }
            await store.close()
            try #require(!FileManager.default.fileExists(atPath: fixture.folder.path("orders.db-wal")))
        }
    }

    @Test func aStoreClosedBesideAnotherLeavesItTheLog() async throws {
        let fixture = try await Fixture(StoreKind.all[0])
        let other = try SQLiteOrderStore.open(path: fixture.folder.path("orders.db"))
        let reader = try SQLiteOrderStore.open(path: fixture.folder.path("orders.db"), readOnly: true)
        await fixture.store.close()
        await reader.close()
        _ = try await other.restock(.init(rawValue: 1), units: 1)
        await other.close()
        #expect(!FileManager.default.fileExists(atPath: fixture.folder.path("orders.db-wal")))
    }

    @Test func aDamagedFileStopsTheStore() async throws {
        let fixture = try await Fixture(StoreKind.all[0])
        let path = fixture.folder.path("orders.db")
        await fixture.store.close()
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        // All pages but the first, which holds the schema.
        let size = try file.seekToEnd()
        try file.seek(toOffset: 4_096)
        try file.write(contentsOf: Data(repeating: 0xee, count: Int(size) - 4_096))
        try file.close()
        do {
            let store = try SQLiteOrderStore.open(path: path)
            let first = await #expect(throws: OrderStoreError.self) {
                try await store.restock(.init(rawValue: 1), units: 1)
            }
            #expect(first?.message.contains("damaged") == true)
            let entry = AuditEntry(
                atMilliseconds: 0, who: "", origin: "", what: "", subject: "", before: "", after: "")
            let second = await #expect(throws: OrderStoreError.self) { try await store.audit(entry) }
            #expect(second?.message.contains("damaged") == true)
            await store.close()
        } catch let error as OrderStoreError {
            #expect(error.message.contains("damaged"))
        }
    }

    private func run(_ program: String, _ arguments: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    @Test(arguments: [
        ("sqlite:a.db", "a.db"), ("sqlite:/x/y z.db", "/x/y z.db"), ("sqlite:///x/y.db", "/x/y.db"),
    ])
    func addressesAreRead(text: String, path: String) throws {
        #expect(try OrderStoreURL(text) == .sqlite(path: path))
    }

    @Test(arguments: ["", "a.db", "sqlite:", "sqlite://host/a.db", "sqlite::memory:", "mariadb://h/d", "sqlite:a\0b"])
    func addressesThatNameNoFileAreRefused(text: String) {
        let error = #expect(throws: OrderStoreError.self) { try OrderStoreURL(text) }
        #expect(error?.message.contains("sqlite:PATH") == true)
    }
}
