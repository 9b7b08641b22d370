import Redis
import Testing

@Suite("INFO")
struct RedisInfoTests {
    @Test("fields by name, numbers where they are numbers, families of fields in order")
    func fields() {
        let info = RedisInfo(
            "# Memory\r\nused_memory:1024\r\nused_memory_human:1.00K\r\nempty:\r\n\r\ndb1:keys=2\r\ndb0:keys=1,expires=0\nno colon here"
        )
        #expect(info.int("used_memory") == 1_024)
        #expect(info.int("used_memory_human") == nil)
        #expect(info["used_memory_human"] == "1.00K")
        #expect(info["empty"] == "")
        #expect(info["no colon here"] == nil && info["# Memory"] == nil)
        #expect(info.values(of: "db") == ["keys=1,expires=0", "keys=2"])
    }
}
