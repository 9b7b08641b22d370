import ArgumentParser
import Foundation
import Operations
import Redis
import Settings
import Synchronization

/// Finds the file and the profile, and puts what they and the environment say before the arguments that a person typed.
enum SettingsInUse {
    private static let kept = Mutex<EffectiveSettings?>(nil)

    /// What holds for the command that runs; defaults where it reads no settings.
    static var current: EffectiveSettings {
        if let current = kept.withLock({ $0 }) { return current }
        // Defaults alone cannot be wrong.
        guard let standard = try? EffectiveSettings(SettingTable.all) else { preconditionFailure("a default is wrong") }
        return standard
    }

    /// The commands that read settings.
    private static let readers = SettingTable.all.reduce(into: Set<String>()) { $0.formUnion($1.commands) }

    /// The command line with what environment, profile and file say put in: what a person typed comes later and wins.
    /// - Parameter arguments: without the program's own name.
    static func merged(_ arguments: [String]) throws -> [String] {
        // Before anything else could repeat it in an error.
        if arguments.contains(where: HiddenPassword.isInArgument) { throw Problem.passwordTyped }
        guard let command = arguments.first, readers.contains(command) else { return arguments }
        let asked = arguments.dropFirst()
        // Who asks for help gets it, whatever the file says.
        if asked.contains(where: { ["-h", "--help"].contains($0) }) { return arguments }
        let settings = try load(profile: value(of: "profile", in: asked), config: value(of: "config", in: asked))
        kept.withLock { $0 = settings }
        let (typed, ignored) = settings.keepingMarks(asked)
        for sentence in ignored + settings.ignoredInEnvironment {
            FileHandle.standardError.write(Data("sellout: \(PlainText.line(sentence))\n".utf8))
        }
        return [command] + settings.arguments(for: command).map(inHome) + typed
    }

    /// A file has no shell that would know `~`.
    private static func inHome(_ argument: String) -> String {
        guard let home = ProcessInfo.processInfo.environment["HOME"] else { return argument }
        for start in ["=~/", "=sqlite:~/"] {
            guard let range = argument.range(of: start) else { continue }
            return argument.replacingCharacters(in: range, with: start.replacing("~", with: home))
        }
        return argument
    }

    /// Reads the file, if there is one, and puts the layers on top of each other.
    /// - Parameters:
    ///   - config: a file's path; else `SELLOUT_CONFIG`, else `sellout/config.yaml` in the config folder, which may be missing.
    ///   - arguments: what the command line gives, by key.
    static func load(profile: String?, config: String?, arguments: [String: String] = [:]) throws -> EffectiveSettings {
        let environment = ProcessInfo.processInfo.environment
        do {
            return try EffectiveSettings(
                SettingTable.all, arguments: arguments, environment: environment,
                file: try file(asked: config, environment), profile: profile)
        } catch let error as SettingError {
            throw Problem(error)
        }
    }

    /// Where the file is looked for when nobody says.
    static var standardPath: String? {
        ConfigFolder.path.map { $0 + "/config.yaml" }
    }

    private static func file(asked: String?, _ environment: [String: String]) throws -> SettingsFile? {
        let named = asked ?? environment["SELLOUT_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        guard let path = named ?? standardPath else { return nil }
        func unreadable(_ why: String) -> SettingError {
            SettingError(place: PlainText.line(path), message: why, isUnreadable: true)
        }
        var status = stat()
        guard stat(path, &status) == 0 else {
            if named == nil, errno == ENOENT || errno == ENOTDIR { return nil }
            throw unreadable("cannot be read: \(String(cString: strerror(errno))); name another with --config")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw unreadable("is not a file; name one with --config") }
        guard status.st_size <= SettingsFile.bytesMax else {
            throw unreadable("is larger than 256 KiB; is it the config file?")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw unreadable("cannot be read; check its permissions")
        }
        let file = try SettingsFile(
            yaml: String(decoding: data, as: UTF8.self), path: path, settings: SettingTable.all)
        try refuseOpenSecret(file, mode: status.st_mode)
        return file
    }

    /// A password that others may read is no secret.
    private static func refuseOpenSecret(_ file: SettingsFile, mode: mode_t) throws(SettingError) {
        guard mode & 0o077 != 0 else { return }
        for entries in [file.entries] + Array(file.profiles.values) {
            guard let entry = entries["redis"], HiddenPassword.isIn(entry.text) else { continue }
            throw SettingError(
                place: file.path, line: entry.line, key: "redis",
                message: "holds a password, and others may read the file: chmod 600 it, or set SELLOUT_REDIS_PASSWORD")
        }
    }

    /// What a person typed for an option, before anything is parsed; the last wins.
    private static func value(of option: String, in arguments: ArraySlice<String>) -> String? {
        var found: String?
        var isNext = false
        for argument in arguments {
            if isNext {
                found = argument
                isNext = false
            } else if argument == "--\(option)" {
                isNext = true
            } else if argument.hasPrefix("--\(option)=") {
                found = String(argument.dropFirst(option.count + 3))
            } else if argument == "--" {
                break
            }
        }
        return found
    }

    /// What is wrong with a setting: said in one line, the program ends with `code`.
    struct Problem: Error, CustomStringConvertible {
        let description: String
        let code: Int32

        static let passwordTyped = Problem(
            "a password on the command line is in every process list: leave it out of the address and set SELLOUT_REDIS_PASSWORD, "
                + "or use --redis-password-file or the prompt")

        private init(_ description: String) {
            self.description = description
            code = ExitCode.validationFailure.rawValue
        }

        init(_ error: SettingError) {
            description = error.description
            code = error.isUnreadable ? 2 : ExitCode.validationFailure.rawValue
        }
    }
}

/// Where a person's own files lie: `$XDG_CONFIG_HOME/sellout`, else `~/.config/sellout`.
enum ConfigFolder {
    static var path: String? {
        let environment = ProcessInfo.processInfo.environment
        // A relative path there is to be ignored, says the rule that names the variable.
        if let given = environment["XDG_CONFIG_HOME"], given.hasPrefix("/") { return given + "/sellout" }
        return environment["HOME"].flatMap { $0.hasPrefix("/") ? $0 + "/.config/sellout" : nil }
    }
}

/// Which settings hold; for every command that reads any.
struct SettingOptions: ParsableArguments {
    @Option(help: "A profile of the config file: several sales or places, one name each.")
    var profile: String?

    @Option(help: "A config file. Else SELLOUT_CONFIG, else sellout/config.yaml in $XDG_CONFIG_HOME or ~/.config.")
    var config: String?
}

/// Whether an address carries a password.
enum HiddenPassword {
    static func isIn(_ address: String) -> Bool { (try? RedisURL(address))?.password != nil }

    /// Whether something that was typed holds one, in an address that may be wrong otherwise: `--redis=redis://:secret@host:x`.
    /// Whatever its scheme: a mistyped one is repeated in an error as well.
    static func isInArgument(_ argument: String) -> Bool {
        guard let start = argument.range(of: "://"), !argument[..<start.lowerBound].hasSuffix("sqlite") else {
            return false
        }
        let rest = argument[start.upperBound...]
        guard let at = rest.lastIndex(of: "@") else { return false }
        return rest[..<at].contains(":")
    }
}

extension AlertThresholds {
    /// What the settings say.
    static var inUse: AlertThresholds {
        let settings = SettingsInUse.current
        var thresholds = AlertThresholds()
        func seconds(_ key: String) -> Double? { settings[key].flatMap { TimeSpan(argument: $0) }?.seconds }
        if let percent = settings.number("alerts.lowStockPercent") { thresholds.lowStockShare = percent / 100 }
        if let age = seconds("alerts.outboxAge") { thresholds.outboxAgeMilliseconds = Int64(age * 1_000) }
        if let units = settings["alerts.driftUnits"].flatMap(Int64.init) { thresholds.driftUnits = units }
        if let ratio = settings.number("alerts.skewRatio") { thresholds.skewRatio = ratio }
        if let percent = settings.number("alerts.errorPercent") { thresholds.errorShare = percent / 100 }
        if let span = seconds("alerts.memoryForecast") { thresholds.memorySeconds = span }
        if let percent = settings.number("alerts.hotSlotPercent") { thresholds.hotSlotShare = percent / 100 }
        return thresholds
    }
}
