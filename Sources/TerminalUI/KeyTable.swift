/// One line of the key table: which keys, where they work, what they mean.
public struct KeyBinding<Context: Hashable & Sendable, Intent: Sendable>: Sendable {
    /// Any of these; the first is the one shown in footers.
    public var keys: [KeyPress]
    /// Where it works; empty means everywhere.
    public var contexts: Set<Context>
    /// One or two words for footers and borders; empty keeps it out of them.
    public var label: String
    /// A sentence for the help.
    public var help: String
    /// Under which heading the help lists it.
    public var group: String
    public var intent: Intent

    public init(
        _ keys: [KeyPress], in contexts: Set<Context> = [], label: String = "", help: String, group: String,
        _ intent: Intent
    ) {
        self.keys = keys
        self.contexts = contexts
        self.label = label
        self.help = help
        self.group = group
        self.intent = intent
    }
}

/// A heading of the help and its lines.
public struct HelpSection: Hashable, Sendable {
    public var title: String
    /// Keys as read (`j ↓`), and what they do.
    public var lines: [Line]

    public struct Line: Hashable, Sendable {
        public var keys: String
        public var help: String

        /// - Parameter keys: what stands at the left: keys, or a word that `help` explains.
        public init(keys: String, help: String) {
            self.keys = keys
            self.help = help
        }
    }

    public init(title: String, lines: [Line]) {
        self.title = title
        self.lines = lines
    }
}

/// The one table from which dispatch, footers and help are all derived, so that they cannot disagree.
public struct KeyTable<Context: Hashable & Sendable, Intent: Sendable>: Sendable {
    public let bindings: [KeyBinding<Context, Intent>]

    public init(_ bindings: [KeyBinding<Context, Intent>]) { self.bindings = bindings }

    /// What a key means.
    /// - Parameter contexts: the innermost first. A binding of an earlier context wins over a later one's, and both over
    ///   one that works everywhere; within a context the first in the table wins.
    public func intent(for key: KeyPress, in contexts: [Context]) -> Intent? {
        for context in contexts {
            if let found = bindings.first(where: { $0.contexts.contains(context) && $0.keys.contains(key) }) {
                return found.intent
            }
        }
        return bindings.first { $0.contexts.isEmpty && $0.keys.contains(key) }?.intent
    }

    /// The table without some bindings: a read-only screen does not bind what it must not do.
    public func without(_ excluded: (Intent) -> Bool) -> KeyTable {
        KeyTable(bindings.filter { !excluded($0.intent) })
    }

    /// Footers: the bindings of exactly this context that have a label; nil asks for those that work everywhere.
    public func hints(
        in context: Context?, glyphs: Glyphs = .unicode, isEnabled: (Intent) -> Bool = { _ in true }
    ) -> [Hint] {
        bindings.filter { binding in
            !binding.label.isEmpty && (context.map { binding.contexts.contains($0) } ?? binding.contexts.isEmpty)
        }.compactMap { binding in
            binding.keys.first.map { Hint($0.name(glyphs), binding.label, isEnabled: isEnabled(binding.intent)) }
        }
    }

    /// The help: every binding, under its group, groups in the order in which they first occur.
    public func help(glyphs: Glyphs = .unicode) -> [HelpSection] {
        var sections: [HelpSection] = []
        for binding in bindings {
            let keys = binding.keys.map { $0.name(glyphs) }.joined(separator: " ")
            let line = HelpSection.Line(keys: keys, help: binding.help)
            if let index = sections.firstIndex(where: { $0.title == binding.group }) {
                sections[index].lines.append(line)
            } else {
                sections.append(HelpSection(title: binding.group, lines: [line]))
            }
        }
        return sections
    }

    /// Keys that are bound twice in the same context, so that the second never acts: for a test.
    public var conflicts: [KeyPress] {
        var result: [KeyPress] = []
        for (index, binding) in bindings.enumerated() {
            for earlier in bindings[..<index] {
                let meet =
                    binding.contexts.isEmpty && earlier.contexts.isEmpty
                    || !binding.contexts.isDisjoint(with: earlier.contexts)
                if meet { result += binding.keys.filter(earlier.keys.contains) }
            }
        }
        return result
    }
}
