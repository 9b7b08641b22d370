import Inventory
import Telemetry
import TerminalUI

/// The command palette: a line being typed, and which of the offers is chosen.
struct Palette: Sendable, Hashable {
    var field = TextField(limit: 100)
    var chosen = 0
}

/// One line that the palette offers.
struct PaletteOffer: Sendable, Hashable {
    enum Deed: Sendable, Hashable {
        case intent(Intent)
        case screen(ScreenID)
        case filter(String)
        case sort(SortColumn)
        case freeze(SKUNumber, Bool)
        case restock(SKUNumber)
        case sku(SKUNumber)
        case crash(Int)
        case theme(String)
        case openAt(OpeningTime, String)
        case unmark
        /// Goes on typing with this.
        case complete
    }

    /// What Tab completes to.
    var text: String
    /// What it does, at the right.
    var note: String
    var deed: Deed
}

extension Model {
    /// Lines that are offered at once.
    static let offersMax = 12

    mutating func typeInPalette(_ edit: (inout TextField) -> Void) -> [Effect] {
        guard var open = palette else { return [] }
        edit(&open.field)
        open.chosen = 0
        palette = open
        return []
    }

    mutating func choose(_ step: Int) {
        guard let open = palette else { return }
        let count = max(1, offers.count)
        palette?.chosen = (open.chosen + step + count) % count
    }

    /// Completes the word: of the palette by what is chosen, of the filter by a column's name.
    mutating func complete() -> [Effect] {
        if let open = palette {
            let offers = offers
            guard offers.indices.contains(open.chosen) else { return [.bell] }
            palette?.field = TextField(offers[open.chosen].text, limit: open.field.limit)
            palette?.chosen = 0
            return []
        }
        let text = filterField.text
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        let word = (words.last.map(String.init) ?? "").lowercased()
        let isInverse = word.hasPrefix("!")
        let stem = isInverse ? String(word.dropFirst()) : word
        var candidates = StockFilter.columns.map {
            $0 + (["state", "tag", "sku", "name", "node"].contains($0) ? "=" : "<")
        }
        if stem.hasPrefix("state=") { candidates = StockFilter.states.map { "state=" + $0 } }
        if stem.hasPrefix("tag=") { candidates = shown.buckets.prefix(4_096).map { "tag=" + $0.tag } }
        guard !stem.isEmpty, let found = candidates.first(where: { $0.hasPrefix(stem) && $0 != stem }) else {
            return [.bell]
        }
        let whole = text.dropLast(word.count) + (isInverse ? "!" : "") + found
        filterField = TextField(String(whole), limit: Self.filterLimit)
        applyFilter()
        return []
    }

    /// What the palette offers for what is typed, best first.
    var offers: [PaletteOffer] {
        guard let typed = palette?.field.text else { return [] }
        let words = typed.lowercased().split(separator: " ").map(String.init)
        if typed.contains(" "), let verb = words.first,
            let offers = arguments(of: verb, words.dropFirst().joined(separator: " "))
        {
            return Array(offers.prefix(Self.offersMax))
        }
        let all = commands
        guard !words.isEmpty else { return Array(all.prefix(Self.offersMax)) }
        func rank(_ offer: PaletteOffer) -> Int? {
            let text = offer.text.lowercased()
            if text.hasPrefix(typed.lowercased()) { return 0 }
            if words.allSatisfy({ text.contains($0) }) { return 1 }
            if words.allSatisfy({ text.contains($0) || offer.note.lowercased().contains($0) }) { return 2 }
            return nil
        }
        var ranked = all.enumerated().compactMap { index, offer in
            rank(offer).map { (rank: $0, index: index, offer: offer) }
        }
        ranked.sort { ($0.rank, $0.index) < ($1.rank, $1.index) }
        var offers = ranked.prefix(Self.offersMax).map(\.offer)
        if offers.count < Self.offersMax {
            offers += skus(like: typed, Self.offersMax - offers.count).map { sku in
                PaletteOffer(text: "sku \(sku.sku)", note: sku.name, deed: .sku(sku.number))
            }
        }
        return offers
    }

    /// Everything that can be said in one or two words.
    private var commands: [PaletteOffer] {
        var offers = ([.overview] + ScreenID.numbered).map { screen in
            PaletteOffer(text: screen.title, note: screen.purpose, deed: .screen(screen))
        }
        func add(_ text: String, _ note: String, _ intent: Intent) {
            guard Keys.permits(intent, permissions), isPossible(intent) else { return }
            offers.append(PaletteOffer(text: text, note: note, deed: .intent(intent)))
        }
        add("open", "lets orders in; asks first", .openSale)
        let canOpen =
            !permissions.isReadOnly && [.warmed, .halted].contains(snapshot.saleState) && snapshot.foreign == nil
        if canOpen {
            offers.append(
                PaletteOffer(text: "open at ", note: "HH:MM[:SS] or +5m: opens by itself", deed: .complete))
            add("cancel opening", "nothing opens by itself", .cancelOpening)
        }
        add("close", "ends the sale for good, prints the books; asks first", .closeSale)
        add("alerts", "every alert that holds, and since when", .alerts)
        add("halt", "halts the sale everywhere, at once", .halt)
        add("compare", "compares Redis with SQL; reads only", .compare)
        add("settle oversold", "who would lose, where too much was promised; asks first", .settle)
        add("undo", "the last freeze, thaw or restock; asks first", .undo)
        for (verb, note) in [
            ("freeze ", "SKU: nobody can buy it"), ("thaw ", "SKU: it can be bought again"),
            ("restock ", "SKU: more units"),
        ]
        where !permissions.isReadOnly && isPossible(.freeze) {
            offers.append(PaletteOffer(text: verb, note: note, deed: .complete))
        }
        if permissions.canCrash && !permissions.isReadOnly {
            offers.append(PaletteOffer(text: "crash ", note: "NODE: kill -9 of a node of this demo", deed: .complete))
        }
        offers.append(PaletteOffer(text: "sku ", note: "SKU: its detail", deed: .complete))
        offers.append(PaletteOffer(text: "filter ", note: "shows only what matches", deed: .complete))
        offers.append(PaletteOffer(text: "sort ", note: "COLUMN", deed: .complete))
        if !themeNames.isEmpty { offers.append(PaletteOffer(text: "theme ", note: "NAME", deed: .complete)) }
        add("mark all", "marks every row in the filter", .markAll)
        if !list.marks.isEmpty {
            offers.append(PaletteOffer(text: "unmark", note: "takes all marks away", deed: .unmark))
        }
        add("themes", "chooses a theme, trying each on", .themes)
        add("hold", "holds what is shown", .hold)
        add("help", "the keys", .help)
        add("redraw", "draws everything anew", .redraw)
        add("quit", "asks while the sale is open", .quit)
        return offers
    }

    /// What a verb can be said of; `nil` for a word that is no verb.
    private func arguments(of verb: String, _ rest: String) -> [PaletteOffer]? {
        func forSKUs(_ deed: (WarRoomSnapshot.SKU) -> PaletteOffer.Deed?) -> [PaletteOffer] {
            let found =
                rest.isEmpty
                ? [subject].compactMap { $0 } + skus(like: "", Self.offersMax) : skus(like: rest, Self.offersMax)
            var seen = Set<SKUNumber>()
            return found.filter { seen.insert($0.number).inserted }.compactMap { sku in
                deed(sku).map {
                    PaletteOffer(text: "\(verb) \(sku.sku)", note: "\(sku.name)  \(sku.state.word)", deed: $0)
                }
            }
        }
        let isBound = !permissions.isReadOnly
        let mayAct = isBound && isPossible(.freeze)
        switch verb {
        case "sku", "detail": return forSKUs { .sku($0.number) }
        case "freeze" where mayAct: return forSKUs { $0.frozen ? nil : .freeze($0.number, true) }
        case "thaw" where mayAct: return forSKUs { $0.frozen ? .freeze($0.number, false) : nil }
        case "restock" where mayAct: return forSKUs { .restock($0.number) }
        case "crash" where isBound && permissions.canCrash:
            return shown.nodes.indices.filter { rest.isEmpty || "\($0 + 1)".hasPrefix(rest) }.map {
                PaletteOffer(text: "crash \($0 + 1)", note: shown.nodes[$0].address, deed: .crash($0))
            }
        case "open" where isBound:
            let typed = rest.hasPrefix("at") ? String(rest.dropFirst(2).drop { $0 == " " }) : rest
            guard let time = OpeningTime(typed) else {
                return [PaletteOffer(text: "open at ", note: "HH:MM[:SS] or +5m, +90s, +1h", deed: .complete)]
            }
            return [
                PaletteOffer(text: "open at \(typed)", note: "opens by itself; asks first", deed: .openAt(time, typed))
            ]
        case "filter":
            return [PaletteOffer(text: "filter \(rest)", note: "shows only what matches", deed: .filter(rest))]
        case "sort":
            return SortColumn.allCases.filter { rest.isEmpty || $0.title.lowercased().hasPrefix(rest) }.map {
                PaletteOffer(text: "sort \($0.title)", note: "", deed: .sort($0))
            }
        case "theme":
            return themeNames.filter { rest.isEmpty || $0.lowercased().contains(rest) }.map {
                PaletteOffer(text: "theme \($0)", note: "", deed: .theme($0))
            }
        default: return nil
        }
    }

    /// SKUs whose number begins so, then those whose name holds it; a bounded look.
    private func skus(like text: String, _ limit: Int) -> [WarRoomSnapshot.SKU] {
        let all = shown.skus
        let needle = text.lowercased().utf8.map { $0 }
        if needle.isEmpty { return list.order.prefix(limit).map { all[Int($0)] } }
        var found: [WarRoomSnapshot.SKU] = []
        for sku in all where found.count < limit && sku.sku.utf8.count >= needle.count {
            if zip(sku.sku.utf8, needle).allSatisfy({ StockFilter.lowered($0) == $1 }) { found.append(sku) }
        }
        for sku in all where found.count < limit && StockFilter.contains(sku.name, needle) {
            if !found.contains(where: { $0.number == sku.number }) { found.append(sku) }
        }
        return found
    }

    // MARK: Doing it

    mutating func runPalette() -> [Effect] {
        guard let open = palette else { return [] }
        let offers = offers
        guard offers.indices.contains(open.chosen) else {
            tell("no command \(SafeText.fitted(open.field.text, width: 40)); ? lists the keys", .warning)
            palette = nil
            return [.bell]
        }
        let offer = offers[open.chosen]
        if offer.deed == .complete {
            let typed = open.field.text
            if typed.hasPrefix(offer.text), typed.count > offer.text.count {
                // Something was typed that cannot be read: it stays, to be mended.
                tell("\(SafeText.fitted(typed, width: 40)): \(offer.note)", .warning)
                return [.bell]
            }
            palette?.field = TextField(offer.text, limit: open.field.limit)
            return []
        }
        palette = nil
        switch offer.deed {
        case .intent(let intent): return Keys.permits(intent, permissions) ? perform(intent) : refuse(intent)
        case .screen(let screen):
            go(screen)
            return look()
        case .filter(let text):
            if screen != .overview { go(.stock) }
            setFilter(text)
            if let problem = filterProblem {
                tell(problem.message, .warning)
                return [.bell]
            }
        case .sort(let column):
            list.setSort(column)
            rearrange()
        case .freeze(let number, let freezes):
            guard let sku = sku(number) else { return [.bell] }
            dialogs.append(.freeze(DialogState.Subject(sku), freezes: freezes))
        case .restock(let number):
            guard let sku = sku(number) else { return [.bell] }
            askToRestock(sku)
        case .sku(let number):
            list.bind(to: number, shown.skus)
            go(.sku(number))
            return look()
        case .crash(let node): dialogs.append(.crash(node: node))
        case .theme(let name): return [.chooseTheme(name)]
        case .openAt(let time, let typed): askToSchedule(time, typed)
        case .unmark: list.unmark()
        case .complete: break
        }
        return []
    }
}
