import Inventory
import Telemetry
import Testing

@testable import Dashboard

@Suite struct LinearTellerTests {
    /// A teller and a bell that stay the same value: expectations cannot change one.
    private final class Ear {
        private var teller = LinearTeller()
        private var news = AlertNews()
        func tell(_ snapshot: WarRoomSnapshot, seconds: Double) -> [LinearTeller.Line] {
            teller.tell(snapshot, seconds: seconds)
        }
        func take(_ alerts: [WarRoomSnapshot.Alert], seconds: Double) -> Bool { news.take(alerts, seconds: seconds) }
    }

    @Test func theFirstSnapshotSaysWhatThereIsAndNothingIsSaidTwice() {
        let teller = Ear()
        let snapshot = Fixture.warmed()
        let lines = teller.tell(snapshot, seconds: 0).map(\.text)
        #expect(lines[0] == "summer-drop: 1,000 SKUs in 64 buckets on 3 nodes, durable")
        #expect(lines[1].hasPrefix("Redis is redis://127.0.0.1:41001, the orders are in sqlite:"))
        #expect(lines[2] == "the sale is warmed")
        #expect(lines.contains { $0.contains("three Redis servers serve") })
        #expect(teller.tell(snapshot, seconds: 1).isEmpty)
        #expect(teller.tell(snapshot, seconds: 100).isEmpty)
    }

    @Test func changesAreSentences() {
        let teller = Ear()
        var snapshot = Fixture.warmed()
        _ = teller.tell(snapshot, seconds: 0)
        snapshot.saleState = .open
        snapshot.orders.accepted = 1_200
        snapshot.orders.acceptedPerSecond = 310.4
        snapshot.skus[2].frozen = true
        let lines = teller.tell(snapshot, seconds: 11).map(\.text)
        #expect(lines.contains("the sale is open"))
        #expect(lines.contains("frozen: 1003 Camp Stove"))
        #expect(
            lines.contains(
                "310 orders a second, 1,200 accepted, 0 refused, 0 units oversold, 0 orders lost, 0 units of drift, 0 waiting for SQL"
            ))
        snapshot.skus[2].frozen = false
        #expect(teller.tell(snapshot, seconds: 14).map(\.text) == ["no longer frozen: 1003 Camp Stove"])
        snapshot.phase = .stale(7)
        #expect(teller.tell(snapshot, seconds: 15).map(\.severity) == [.bad])
        snapshot.phase = .live
        #expect(teller.tell(snapshot, seconds: 16).map(\.text) == ["the stores answer again"])
    }

    /// Its figures move ten times a second; it is told once, and once more when it is over.
    @Test func anAlertIsToldWhenItComesAndWhenItIsGone() {
        let teller = Ear()
        var snapshot = Fixture.warmed()
        _ = teller.tell(snapshot, seconds: 0)
        func down(_ node: Int, _ seconds: String) -> WarRoomSnapshot.Alert {
            .init(severity: .bad, text: "node \(node) down \(seconds) s: 21 buckets not selling")
        }
        snapshot.alerts = [down(3, "1.2")]
        #expect(teller.tell(snapshot, seconds: 1).map(\.text) == ["alert: node 3 down 1.2 s: 21 buckets not selling"])
        snapshot.alerts = [down(3, "11.9")]
        #expect(teller.tell(snapshot, seconds: 2).isEmpty)
        snapshot.alerts = [down(2, "0.1"), down(3, "12.9")]
        #expect(teller.tell(snapshot, seconds: 3).count == 1)
        // What is only a warning is told once it lasts.
        snapshot.alerts = [.init(severity: .warning, text: "2 of 64 buckets fenced: rebuilding from SQL")]
        #expect(teller.tell(snapshot, seconds: 3.5).isEmpty)
        snapshot.alerts = []
        #expect(teller.tell(snapshot, seconds: 4).isEmpty)
        #expect(teller.tell(snapshot, seconds: 7).map(\.severity) == [.good, .good])
    }

    /// Most alerts come with an event; whichever is first is the only one.
    @Test func anAlertThatIsAnEventTooIsToldOnce() {
        let teller = Ear()
        var snapshot = Fixture.warmed()
        _ = teller.tell(snapshot, seconds: 0)
        func event(_ number: Int, _ severity: WarRoomSnapshot.Event.Severity, _ text: String, _ subject: String)
            -> WarRoomSnapshot.Event
        {
            .init(
                number: 1_000 + number, atMilliseconds: 0, severity: severity, text: text,
                alert: WarRoomSnapshot.Alert.identity(.nodeDown, subject))
        }
        func alert(_ node: String) -> WarRoomSnapshot.Alert {
            .init(severity: .bad, text: "node \(node) down", kind: .nodeDown, subject: node)
        }
        // Both at once, the alert before, the event before.
        snapshot.events.append(event(1, .bad, "a does not answer", "a"))
        snapshot.alerts = [alert("a")]
        #expect(teller.tell(snapshot, seconds: 1).map(\.text) == ["a does not answer"])
        snapshot.alerts = [alert("a"), alert("b")]
        #expect(teller.tell(snapshot, seconds: 2).map(\.text) == ["alert: node b down"])
        snapshot.events.append(event(2, .bad, "b does not answer", "b"))
        snapshot.events.append(event(3, .bad, "c does not answer", "c"))
        #expect(teller.tell(snapshot, seconds: 3).map(\.text) == ["c does not answer"])
        snapshot.alerts = [alert("a"), alert("b"), alert("c")]
        #expect(teller.tell(snapshot, seconds: 4).isEmpty)
        // Its end is told once, too, by whoever tells it.
        snapshot.alerts = [alert("b"), alert("c")]
        snapshot.events.append(event(4, .info, "a answers again", "a"))
        #expect(teller.tell(snapshot, seconds: 20).map(\.text) == ["a answers again"])
        snapshot.alerts = [alert("c")]
        #expect(teller.tell(snapshot, seconds: 30).map(\.text) == ["no longer: node b down"])
        // Long after, it is news again.
        snapshot.alerts = [alert("a"), alert("c")]
        #expect(teller.tell(snapshot, seconds: 60).map(\.text) == ["alert: node a down"])
    }

    @Test func hostileTextStaysOneHarmlessLine() {
        let teller = Ear()
        var snapshot = Fixture.warmed()
        snapshot.saleName = "drop\n\u{1B}[2J\u{202E}"
        snapshot.skus[0].name = "a\r\nBAD forged line \u{9B}31m"
        snapshot.skus[0].frozen = true
        snapshot.events.append(
            .init(number: 99, atMilliseconds: 0, severity: .info, text: "line one\n12:00:00 line two\u{2028}three"))
        let lines = teller.tell(snapshot, seconds: 0)
        #expect(lines.contains { $0.text.contains("forged") })
        for line in lines {
            #expect(
                line.text.unicodeScalars.allSatisfy {
                    $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) && ![0x202E, 0x2028].contains($0.value)
                }, "\(line.text)")
        }
    }

    @Test func anAlertIsNewsOnceWhateverItsFiguresDo() {
        let news = Ear()
        let low = WarRoomSnapshot.Alert(severity: .info, text: "low")
        func behind(_ seconds: String) -> [WarRoomSnapshot.Alert] {
            [low, .init(severity: .warning, text: "SQL is \(seconds) s behind: 12 outbox entries wait")]
        }
        #expect(!news.take([low], seconds: 0))
        #expect(news.take(behind("2.1"), seconds: 1))
        #expect(!news.take(behind("33.4"), seconds: 2))
        #expect(!news.take([], seconds: 20))
        #expect(!news.take(behind("3.0"), seconds: 25))
        #expect(!news.take([], seconds: 60))
        #expect(news.take(behind("3.0"), seconds: 61))
    }
}
