import Foundation
import Glibc
import Testing

extension CommandTests {
    @Test("themes without a terminal: listed, shown as figures, checked with file, line and key")
    func themes() async throws {
        let scratch = try Scratch()
        let list = try await Program.run("themes", "list", "--json", in: scratch, environment: ["TERM": nil])
        #expect(list.status == 0, "\(list)")
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [[String: Any]])
        #expect(rows.count >= 12)
        #expect(Set(rows.compactMap { $0["theme"] as? String }).isSuperset(of: ["okabe-ito-dark", "okabe-ito-light"]))

        let preview = try await Program.run("themes", "preview", "nord", in: scratch)
        #expect(preview.status == 0 && preview.output.contains("#2e3440"), "\(preview)")
        #expect(!preview.output.contains("\u{1B}"))
        let colour = try await Program.run("themes", "preview", "nord", "--colour", "always", in: scratch)
        #expect(colour.output.contains("\u{1B}[") && colour.output.contains("nord"))

        let palette = (0..<16).map { "  base0" + String($0, radix: 16).uppercased() + ": \"0a0b0c\"\n" }.joined()
        let good = try scratch.write("system: base16\nname: G\npalette:\n\(palette)", to: "good.yaml")
        let bad = try scratch.write(
            "name: B\npalette:\n\(palette)".replacingOccurrences(of: "base03: \"0a0b0c\"", with: "base03: \"0a0b0\""),
            to: "bad.yaml")
        let checked = try await Program.run("themes", "check", good, in: scratch)
        #expect(checked.status == 0 && checked.output.contains("good"), "\(checked)")
        let found = try await Program.run("themes", "check", good, bad, "/nowhere.yaml", in: scratch)
        #expect(found.status == 1 && found.output.contains("bad.yaml:6:base03: is “0a0b0”"), "\(found)")
        #expect(try await Program.run("themes", "check", "/nowhere.yaml", in: scratch).status == 2)
    }

    @Test("settings: arguments over environment over profile over file over defaults, and each says where it came from")
    func settings() async throws {
        let scratch = try Scratch()
        _ = try scratch.write(
            """
            theme: nord
            alerts:
              outboxAge: 5s
            demo:
              masters: 1
            profiles:
              live:
                theme: dracula
                redis: redis://ada:geheim@127.0.0.1:7001
            """, to: ".config/sellout/config.yaml")
        let open = try await Program.run("config", "--profile", "live", in: scratch)
        open.expectOneLine("config.yaml:9:redis:", "chmod 600", status: 64)
        chmod("\(scratch.path)/.config/sellout/config.yaml", 0o600)

        let result = try await Program.run(
            "config", "--profile", "live", "--json", "--no-ascii", in: scratch,
            environment: ["SELLOUT_ALERTS_DRIFT_UNITS": "3"])
        #expect(result.status == 0, "\(result)")
        #expect(!result.output.contains("geheim"))
        let json = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let all = try #require(json["settings"] as? [String: [String: Any]])
        func expect(_ key: String, _ value: String, _ source: String, place: String) {
            #expect(all[key]?["value"].map { "\($0)" } == value, "\(key)")
            #expect(all[key]?["source"] as? String == source, "\(key)")
            let told = all[key]?["place"] as? String
            #expect(told.map { $0.hasSuffix(place) } ?? place.isEmpty, "\(key)")
        }
        expect("theme", "dracula", "profile", place: "config.yaml:8")
        expect("alerts.outboxAge", "5s", "file", place: "config.yaml:3")
        expect("alerts.driftUnits", "3", "environment", place: "SELLOUT_ALERTS_DRIFT_UNITS")
        expect("demo.replicas", "0", "default", place: "")
        #expect(all["ascii"]?["source"] as? String == "argument")
        #expect(all["redis"]?["value"] as? String == "redis://ada:…@127.0.0.1:7001")
        let text = try await Program.run("config", "--profile", "live", in: scratch)
        #expect(text.output.contains("dracula") && !text.output.contains("geheim"))
    }

    @Test("a wrong setting is one line with file, line and key, before anything starts")
    func wrongSettings() async throws {
        let scratch = try Scratch()
        let file = try scratch.write("theme: nord\ndemo:\n  mastres: 1\n", to: "c.yaml")
        for command in ["demo", "watch", "config"] {
            try await Program.run(command, "--config", file, in: scratch)
                .expectOneLine("c.yaml:3:demo.mastres: is not a setting; the nearest is “demo.masters”", status: 64)
        }
        try await Program.run("demo", in: scratch, environment: ["SELLOUT_DEMO_MASTERS": "many"])
            .expectOneLine("SELLOUT_DEMO_MASTERS: “many” will not do: write a whole number, 1 to 100", status: 64)
        try await Program.run("demo", "--config", "/nowhere", in: scratch).expectOneLine("/nowhere", status: 2)
        try await Program.run("watch", "--profile", "x", in: scratch).expectOneLine("profile “x”", status: 64)
        // Who asks for help gets it.
        #expect(try await Program.run("demo", "--config", file, "--help", in: scratch).status == 0)
    }

    @Test("a password file that others may read is refused, before anybody is asked")
    func openPasswordFile() async throws {
        let scratch = try Scratch()
        let file = try scratch.write("geheim\n", to: "password")
        let books = try scratch.write("", to: "books.sqlite")
        func run() async throws -> Program.Result {
            try await Program.run(
                "snapshot", "--redis", "redis://127.0.0.1:1", "--orders", "sqlite:\(books)", "--redis-password-file",
                file, in: scratch)
        }
        chmod(file, 0o640)
        try await run().expectOneLine("password", "chmod 600", status: 2)
        chmod(file, 0o600)
        let result = try await run()
        #expect(result.status == 2 && !result.error.contains("geheim") && !result.error.contains("chmod"), "\(result)")
    }

    @Test("every setting is an option of its commands, with the same default")
    func settingsAndOptions() async throws {
        let scratch = try Scratch()
        let json = try await Program.run("config", "--json", in: scratch)
        let root = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let values = try #require(root["settings"] as? [String: [String: Any]])
        func help(_ command: String) async throws -> [Substring] {
            let text = try await Program.run(command, "--help", in: scratch).output
            return text.split(whereSeparator: \.isWhitespace).joined(separator: " ").split(separator: " --")
        }
        let (demo, watch) = (try await help("demo"), try await help("watch"))
        let keys = try await Program.run("config", "--keys", in: scratch).output
        var seen = 0
        for line in keys.split(separator: "\n") where !line.hasPrefix(" ") {
            let parts = line.split(separator: " ")
            let (key, option) = (String(parts[0]), parts[2].dropFirst(2))
            guard parts[2] != "-", !key.hasPrefix("reconcile") else { continue }
            seen += 1
            let all = key.hasPrefix("demo.") ? demo : watch
            let entry = all.first { $0.hasPrefix("\(option) <") || $0.hasPrefix("\(option)/") }
            let other = all.first { $0.hasPrefix("\(option),") } == nil ? nil : all.first { $0.hasPrefix("colors <") }
            let words = try #require(entry ?? other, "\(key) has no option --\(option)")
            guard let value = values[key]?["value"], !(value is NSNull), !words.hasPrefix("\(option)/"), key != "theme"
            else { continue }
            let told = words.firstMatch(of: #/default: (\S+?)(\.0)?\)/#)?.1
            #expect(told == "\(value)", "\(key): \(words)")
        }
        #expect(seen > 25)
    }

    @Test("completions for three shells, from the arguments themselves", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) async throws {
        let result = try await Program.run("completions", shell, in: Scratch())
        #expect(result.status == 0 && result.output.contains("reconcile") && result.output.contains("read-only"))
    }
}

extension ScreenTests {
    @Test("a theme is chosen by trying it on; its file is read anew; a broken one keeps the theme and is told")
    func themeChooserAndReload() async throws {
        try await Terminal.open(120, 40) { terminal in
            let nord = try await Program.run("themes", "preview", "nord", in: terminal.scratch)
            #expect(nord.output.contains("#2e3440"))
            let palette = (0..<16).map { "  base0" + String($0, radix: 16).uppercased() + ": \"10203\($0 % 10)\"\n" }
                .joined()
            let scheme = "name: Mine\npalette:\n" + palette.replacing("base05: \"102035\"", with: "base05: \"f0f0f0\"")
            let file = try terminal.scratch.write(scheme, to: ".config/sellout/themes/mine.yaml")
            // A config file chooses the theme; the fleet is small.
            _ = try terminal.scratch.write(
                "theme: mine\ndemo:\n  masters: 1\n  skus: 12\n", to: ".config/sellout/config.yaml")
            try await terminal.open("sellout demo")
            try await terminal.expect("WARMED", within: .seconds(20))
            #expect(terminal.scratch.servers.count == 1)
            try await terminal.expectColour("48;2;16;32;48")

            try await terminal.press("T")
            try await terminal.expect("theme")
            try await terminal.expect("mine")
            try await terminal.press("j")
            try await terminal.expectColour("48;2;46;52;64")
            try await terminal.press("Escape")
            try await terminal.expectColour("48;2;16;32;48")

            _ = try terminal.scratch.write(
                scheme.replacing("base00: \"102030\"", with: "base00: \"203040\""),
                to: ".config/sellout/themes/mine.yaml")
            try await terminal.expectColour("48;2;32;48;64")
            try "name: [broken\n".write(toFile: file, atomically: true, encoding: .utf8)
            try await terminal.expect("mine.yaml:")
            try await terminal.expect("the theme stays as it was")
            try await terminal.expectColour("48;2;32;48;64")

            try await terminal.press("T", "G", "Enter")
            try await terminal.expect("keeps it for good")
            try await terminal.press("q")
            try await terminal.expectClosed(status: 0)
        }
    }
}

extension Terminal {
    /// Waits until this SGR colour stands on the screen.
    func expectColour(_ code: String) async throws {
        let found = try await eventually(within: .seconds(5)) {
            try await textWithStyles.contains(code)
        }
        if !found { throw Missing(description: "expected the colour \(code)") }
    }
}
