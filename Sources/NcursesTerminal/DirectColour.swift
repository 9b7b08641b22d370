import Glibc

/// Full colour through ncurses: a terminfo entry that adds direct colour to the user's own, compiled by `tic` into a private
/// folder.
enum DirectColour {
    /// Part of the entry's name, so that a changed entry does not meet an old compiled one.
    private static let version = "1"

    /// Calls with the name of an entry that has direct colour, while TERMINFO_DIRS leads to it; nil when `tic` is not there
    /// or does not know the terminal.
    static func withEntry<Result>(basedOn term: String, _ body: (String) -> Result?) -> Result? {
        let isSafe = term.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || [0x2B, 0x2D, 0x2E, 0x5F].contains(byte)
        }
        guard isSafe, !term.isEmpty, term.utf8.count < 64 else { return nil }
        let name = "sellout\(version)+\(term)"
        guard let folder = cacheFolder() else {
            guard let folder = temporaryFolder() else { return nil }
            defer { remove(folder, name) }
            return compile(name, term, folder) ? lookingIn(folder, { body(name) }) : nil
        }
        if access("\(folder)/s/\(name)", R_OK) == 0, let result = lookingIn(folder, { body(name) }) { return result }
        return compile(name, term, folder) ? lookingIn(folder, { body(name) }) : nil
    }

    /// The sequences are ISO 8613-6 in the form with semicolons, which more terminals read than the one with colons.
    private static func source(_ name: String, _ term: String) -> String {
        let channels = "%p1%{65536}%/%d;%p1%{256}%/%{255}%&%d;%p1%{255}%&%dm"
        return """
            \(name)|\(term) with direct colour,
            \tRGB, colors#0x1000000, pairs#0x10000, ccc@, initc@, oc@,
            \tsetaf=\\E[38;2;\(channels), setab=\\E[48;2;\(channels), op=\\E[39;49m,
            \tuse=\(term),

            """
    }

    /// Runs `tic`. Silent: what it says would land on the screen.
    private static func compile(_ name: String, _ term: String, _ folder: String) -> Bool {
        let path = "\(folder)/\(name).\(getpid()).ti"
        let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return false }
        defer { unlink(path) }
        var text = Array(source(name, term).utf8)
        let written = write(descriptor, &text, text.count)
        close(descriptor)
        guard written == text.count else { return false }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var arguments: [UnsafeMutablePointer<CChar>?] = ["tic", "-x", "-o", folder, path].map { (word: String) in
            strdup(word)
        }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        guard posix_spawnp(&process, "tic", &actions, nil, &arguments, environ) == 0 else { return false }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            if errno != EINTR { return false }
        }
        return status == 0
    }

    private static func lookingIn<Result>(_ folder: String, _ body: () -> Result?) -> Result? {
        let before = getenv("TERMINFO_DIRS").map { String(cString: $0) }
        // An empty element stands for the folders compiled in.
        setenv("TERMINFO_DIRS", folder + ":" + (before ?? ""), 1)
        defer {
            if let before { setenv("TERMINFO_DIRS", before, 1) } else { unsetenv("TERMINFO_DIRS") }
        }
        return body()
    }

    /// A folder in the user's cache that nobody else can write to; nil when there is none.
    private static func cacheFolder() -> String? {
        let root: String
        if let given = getenv("XDG_CACHE_HOME").map({ String(cString: $0) }), given.hasPrefix("/") {
            root = given
        } else if let home = getenv("HOME").map({ String(cString: $0) }), home.hasPrefix("/") {
            root = home + "/.cache"
        } else {
            return nil
        }
        mkdir(root, 0o700)
        mkdir(root + "/sellout", 0o700)
        let folder = root + "/sellout/terminfo"
        mkdir(folder, 0o700)
        var status = stat()
        guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
            status.st_mode & 0o022 == 0, access(folder, W_OK | X_OK) == 0
        else { return nil }
        return folder
    }

    private static func temporaryFolder() -> String? {
        let root = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array((root + "/sellout-terminfo-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { return nil }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func remove(_ folder: String, _ name: String) {
        unlink("\(folder)/s/\(name)")
        rmdir("\(folder)/s")
        rmdir(folder)
    }
}
