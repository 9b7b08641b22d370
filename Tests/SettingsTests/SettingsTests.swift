import Testing

@testable import Settings

@Suite struct SettingsTests {
    private static let table: [Setting] = [
        Setting("profile", .text(takes: "a name") { !$0.isEmpty }, option: "profile", help: ""),
        Setting(
            "theme", .text(takes: "a theme") { !$0.isEmpty }, standard: "dark", option: "theme", commands: ["watch"],
            help: ""),
        Setting("readOnly", .flag, standard: "false", option: "read-only", commands: ["watch"], help: ""),
        Setting(
            "production", .flag, standard: "false", option: "production", commands: ["watch"], isMark: true, help: ""),
        Setting("refresh", .whole(1...30), standard: "10", option: "refresh", commands: ["watch", "demo"], help: ""),
        Setting("alerts.outboxAge", .text(takes: "a span") { $0.hasSuffix("s") }, standard: "2s", help: ""),
        Setting("alerts.driftUnits", .whole(1...100), help: ""),
        Setting(
            "redis", .text(takes: "an address") { $0.hasPrefix("redis://") }, option: "redis", commands: ["watch"],
            shown: { _ in "redis://…" }, help: ""),
    ]

    private static func file(_ yaml: String) throws -> SettingsFile {
        try SettingsFile(yaml: yaml, path: "c.yaml", settings: table)
    }

    private static let full = """
        # Comments are fine.
        theme: nord
        readOnly: yes
        alerts:
          outboxAge: 5s
        profiles:
          live:
            theme: light
            refresh: 5
            redis: redis://u:geheim@h
          quiet:
        """

    @Test func argumentsWinOverEnvironmentOverProfileOverFileOverDefaults() throws {
        let file = try Self.file(Self.full)
        func theme(_ arguments: [String: String], _ environment: [String: String], _ profile: String?) throws
            -> EffectiveSettings.Value?
        {
            try EffectiveSettings(
                Self.table, arguments: arguments, environment: environment, file: file, profile: profile
            ).values["theme"]
        }
        let (argument, environment) = (["theme": "a"], ["SELLOUT_THEME": "e"])
        #expect(try theme(argument, environment, "live") == .init(text: "a", source: .argument, place: "--theme"))
        #expect(try theme([:], environment, "live") == .init(text: "e", source: .environment, place: "SELLOUT_THEME"))
        #expect(try theme([:], [:], "live") == .init(text: "light", source: .profile, place: "c.yaml:8"))
        #expect(try theme([:], [:], nil) == .init(text: "nord", source: .file, place: "c.yaml:2"))
        #expect(try EffectiveSettings(Self.table).values["theme"] == .init(text: "dark", source: .standard, place: ""))
        // An empty variable is not set, and a setting without a default is nothing.
        #expect(try theme([:], ["SELLOUT_THEME": ""], nil)?.source == .file)
        #expect(try EffectiveSettings(Self.table)["alerts.driftUnits"] == nil)
    }

    @Test func namesInTheEnvironmentFollowTheKeys() throws {
        let names = Self.table.map(\.environmentName)
        #expect(names.contains("SELLOUT_ALERTS_OUTBOX_AGE") && names.contains("SELLOUT_READ_ONLY"))
        // What the package makes of a key is what we tell people.
        for setting in Self.table where setting.key != "profile" && setting.key != "redis" {
            let text = setting.standard ?? "7"
            let value = try EffectiveSettings(Self.table, environment: [setting.environmentName: text])
            #expect(value.values[setting.key]?.source == .environment, "\(setting.key)")
        }
    }

    @Test func aProfileIsTakenFromArgumentEnvironmentOrFile() throws {
        let file = try Self.file(Self.full)
        let named = try EffectiveSettings(Self.table, environment: ["SELLOUT_PROFILE": "live"], file: file)
        #expect(named["refresh"] == "5" && named.profile == "live")
        let other = try EffectiveSettings(
            Self.table, environment: ["SELLOUT_PROFILE": "live"], file: file, profile: "quiet")
        #expect(other["refresh"] == "10")
        let own = try Self.file("profile: live\n" + Self.full)
        #expect(try EffectiveSettings(Self.table, file: own)["theme"] == "light")
        let error = try #require(throws: SettingError.self) {
            try EffectiveSettings(Self.table, file: file, profile: "prod")
        }
        #expect(error.description == "profile “prod”: is not in c.yaml; there are: live quiet")
    }

    @Test func commandsAreToldWhatIsSetAndNothingElse() throws {
        let settings = try EffectiveSettings(
            Self.table, environment: ["SELLOUT_REFRESH": "3"], file: try Self.file("readOnly: off\ntheme: -x\n"))
        #expect(settings.arguments(for: "watch") == ["--theme=-x", "--no-read-only", "--refresh=3"])
        #expect(settings.arguments(for: "demo") == ["--refresh=3"])
        #expect(settings.arguments(for: "bench") == [])
    }

    @Test(arguments: [
        ("thme: nord", "c.yaml:1:thme: is not a setting; the nearest is “theme”"),
        (
            "theme: a\nalerts:\n  outboxage: 2s",
            "c.yaml:3:alerts.outboxage: is not a setting; the nearest is “alerts.outboxAge”"
        ),
        ("profiles:\n  live:\n    them: x", "c.yaml:3:profiles.live.them: is not a setting; the nearest is “theme”"),
        ("profiles:\n  live:\n    profile: x", "c.yaml:3:profiles.live.profile: is not a setting"),
        ("refresh: 31", "c.yaml:1:refresh: “31” will not do: write a whole number, 1 to 30"),
        ("\n\nreadOnly: perhaps", "c.yaml:3:readOnly: “perhaps” will not do: write true or false"),
        ("theme:", "c.yaml:1:theme: has no value"), ("theme: [a]", "c.yaml:1:theme: is not one value"),
        ("alerts: 3", "c.yaml:1:alerts: is not a map"), ("- a", "c.yaml:1: is not a map"),
        ("theme: a\ntheme: b", "theme: stands there twice"), ("theme: {", "c.yaml:"),
        (String(repeating: "- *a\n", count: 25), "c.yaml: has more than 24 aliases"),
        ("profiles: 3", "c.yaml:1:profiles: is not a map"),
        ("redis: mysecretpassword", "c.yaml:1:redis: “redis://…” will not do: write an address"),
    ]) func whatIsWrongIsSaidWithFileLineAndKey(yaml: String, expected: String) throws {
        let error = try #require(throws: SettingError.self) { try Self.file(yaml) }
        #expect(error.description.contains(expected), "\(error)")
        #expect(!error.description.contains("\n"))
    }

    @Test(arguments: [
        "", "# nothing\n", "---\n", "\u{FEFF}theme: nord\r\n", "alerts:\nprofiles:\n", "profiles:\n  a:\n",
    ])
    func whatSetsLittleIsFine(yaml: String) throws { _ = try Self.file(yaml) }

    @Test func aWrongVariableIsNamed() throws {
        let error = try #require(throws: SettingError.self) {
            try EffectiveSettings(Self.table, environment: ["SELLOUT_REFRESH": "fast"])
        }
        #expect(error.description == "SELLOUT_REFRESH: “fast” will not do: write a whole number, 1 to 30")
    }

    @Test func theNearestWordTakesTheFewestChanges() {
        #expect(Nearest.of("thme", among: ["refresh", "theme"]) == "theme")
        #expect(Nearest.of("x", among: []) == nil)
        #expect(Nearest.distance(Array("kitten"), Array("sitting")) == 3)
    }

    /// A place is marked against slips: what slips most easily is an argument.
    @Test func aMarkOfTheFileIsLiftedOnlyThere() throws {
        let marked = try Self.file(
            "production: no\nprofiles:\n  live:\n    production: yes\n  tame:\n    production: no\n")
        func settings(_ profile: String?, _ arguments: [String: String] = [:], _ environment: [String: String] = [:])
            throws -> EffectiveSettings
        {
            try EffectiveSettings(
                Self.table, arguments: arguments, environment: environment, file: marked, profile: profile)
        }
        let typed = try settings("live", ["production": "false"])
        #expect(
            typed.values["production"]
                == .init(text: "true", source: .profile, place: "c.yaml:4", ignored: "--no-production"))
        let told = try settings("live", [:], ["SELLOUT_PRODUCTION": "false"])
        #expect(told.flag("production") && told.ignoredInEnvironment.count == 1)
        #expect(told.arguments(for: "watch").contains("--production"))

        let kept = typed.keepingMarks(["--no-production", "--theme", "x", "--", "--no-production"])
        #expect(kept.kept == ["--theme", "x", "--", "--no-production"])
        let sentence = "--no-production is ignored: the profile marks this place, and only c.yaml:4 lifts that"
        #expect(kept.sentences == [sentence])
        // Where nobody marked it, nothing is kept; and whoever marks it by hand may.
        for profile in [nil, "tame"] {
            let free = try settings(profile)
            #expect(!free.flag("production") && free.keepingMarks(["--no-production"]).kept == ["--no-production"])
            #expect(try settings(profile, ["production": "true"]).flag("production"))
        }
        let all = try Self.file("production: yes\nprofiles:\n  tame:\n    production: no\n")
        #expect(try !EffectiveSettings(Self.table, file: all, profile: "tame").flag("production"))
        #expect(try EffectiveSettings(Self.table, arguments: ["production": "false"], file: all).flag("production"))
    }
}
