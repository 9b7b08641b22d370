import Foundation
import Testing

@testable import TerminalUI

@Suite struct ThemeWatchTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("theme-watch-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func write(_ text: String, atomically: Bool = true) throws {
        try text.write(to: folder.appendingPathComponent("mine.yaml"), atomically: atomically, encoding: .utf8)
    }

    private static let nord = EmbeddedThemes.all["nord"]!
    private static let light = EmbeddedThemes.all["sellout-light"]!

    @Test func aChangeIsTakenAndABrokenFileIsToldOnceAndLeavesTheTheme() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(Self.nord)
        var watch = ThemeWatch("mine", library: ThemeLibrary(folders: [folder.path]))
        #expect(watch.look() == nil)
        try write(Self.light)
        #expect(watch.look() == .changed(try ThemeLibrary().load("sellout-light")))
        #expect(watch.look() == nil)

        // Somebody may be half way through writing it: looked at once more before it is told, and then told once.
        try write("palette: {")
        #expect(watch.look() == nil)
        guard case .broken(let why)? = watch.look() else {
            Issue.record("the broken file was not told")
            return
        }
        #expect(why.contains("mine.yaml:"), "\(why)")
        #expect(watch.look() == nil)

        try write(Self.nord)
        #expect(watch.look() == .changed(try ThemeLibrary().load("nord")))
    }

    @Test func aFileHalfWrittenIsNotTold() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(Self.nord)
        var watch = ThemeWatch("mine", library: ThemeLibrary(folders: [folder.path]))
        try write(String(Self.light.prefix(100)), atomically: false)
        #expect(watch.look() == nil)
        try write(Self.light, atomically: false)
        #expect(watch.look() == .changed(try ThemeLibrary().load("sellout-light")))
    }

    @Test func aFileThatGoesIsToldAndItsReturnIsTaken() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(Self.nord)
        var watch = ThemeWatch("mine", library: ThemeLibrary(folders: [folder.path]))
        try FileManager.default.removeItem(at: folder.appendingPathComponent("mine.yaml"))
        #expect(watch.look() == nil)
        guard case .broken? = watch.look() else {
            Issue.record("the lost file was not told")
            return
        }
        try write(Self.light)
        #expect(watch.look() == .changed(try ThemeLibrary().load("sellout-light")))
    }

    @Test func choosingFollowsTheOtherFileAndWhatCannotBeReadLeavesAllAsItWas() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try write(Self.nord)
        var watch = ThemeWatch("dracula", library: ThemeLibrary(folders: [folder.path]))
        #expect(watch.look() == nil)
        #expect(throws: ThemeError.self) { try watch.choose("nowhere") }
        #expect(watch.name == "dracula")
        let chosen = try watch.choose("mine")
        #expect(try chosen == ThemeLibrary().load("nord"))
        try write(Self.light)
        #expect(watch.look() != nil)
    }
}
