import Foundation

/// Where the orders are kept, as a person writes it: `sqlite:PATH`, PATH relative to the working folder or absolute;
/// `sqlite:///PATH` is read as well.
public enum OrderStoreURL: Sendable, Hashable, CustomStringConvertible {
    /// A SQLite file.
    case sqlite(path: String)

    /// Reads the text of a URL.
    ///
    /// - Throws: `OrderStoreError` (refused) that says in one line what was wrong.
    public init(_ text: String) throws(OrderStoreError) {
        let shown = Self.shown(text)
        guard text.hasPrefix("sqlite:") else {
            throw OrderStoreError(.refused, "cannot read the order store's address '\(shown)'; write sqlite:PATH")
        }
        var path = String(text.dropFirst("sqlite:".count))
        if path.hasPrefix("//") {
            path.removeFirst(2)
            guard path.hasPrefix("/") else {
                throw OrderStoreError(
                    .refused, "the order store's address '\(shown)' names a host; write sqlite:PATH for a file")
            }
        }
        guard !path.isEmpty, path != ":memory:", !path.utf8.contains(0) else {
            throw OrderStoreError(.refused, "the order store's address '\(shown)' names no file; write sqlite:PATH")
        }
        self = .sqlite(path: path)
    }

    /// An address as an error may repeat it: without what could be a password.
    public static func shown(_ text: String) -> String {
        guard let start = text.range(of: "://"), let at = text.lastIndex(of: "@"), start.upperBound <= at else {
            return SQLiteErrors.printable(String(text.prefix(200)))
        }
        return SQLiteErrors.printable(String((text[..<start.upperBound] + "…" + text[at...]).prefix(200)))
    }

    /// The text that reads back as this address.
    public var description: String {
        switch self {
        case .sqlite(let path): "sqlite:\(path)"
        }
    }

    /// Opens the store it names. A database that is not there is made, unless `readOnly`.
    ///
    /// - Throws: `OrderStoreError`, see `SQLiteOrderStore.open`.
    public func open(readOnly: Bool = false) throws -> any OrderStore {
        switch self {
        case .sqlite(let path): try SQLiteOrderStore.open(path: path, readOnly: readOnly)
        }
    }
}
