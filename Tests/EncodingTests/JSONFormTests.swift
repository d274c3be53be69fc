import Encoding
import Testing

@Suite(.timeLimit(.minutes(20))) struct JSONFormTests {
    private static let endpoint = JSONForm.object([.required("host", .text), .required("port", .port)])
    private static let form = JSONForm.object([
        .required("name", .text), .required("api", endpoint), .optional("peers", .list(endpoint)),
        .optional("fast", .flag), .optional("blocks", .whole(0...UInt64.max)),
    ])

    private func problem(_ json: String) -> String? {
        do { try Self.form.check(json: Array(json.utf8)) } catch { return "\(error)" }
        return nil
    }

    @Test(arguments: [
        #"{"name":"a","api":{"host":"h","port":1}}"#,
        #" { "name" : "\u00e9\ud83d\ude00\n" , "api" : {"port":65535,"host":""}, "peers":[], "fast":true, "blocks":0 } "#,
        #"{"name":"a","api":{"host":"h","port":1},"peers":[{"host":"h","port":2}],"fast":null}"#,
    ])
    func takesWhatFits(json: String) { #expect(problem(json) == nil) }

    /// Each mistake is told by its line, its field and what belongs there.
    @Test(arguments: [
        ("", "line 1: the file is empty"),
        ("{}", "the field 'name' is missing: it takes a text in double quotes"),
        (#"{"name":"a"}"#, "the field 'api' is missing: it takes an object in braces with \"host\", \"port\""),
        ("{\"name\":\"a\",\n\"api\":{\"host\":\"h\"}}", "line 2: the field 'api.port' is missing: it takes a whole number from 1 to 65535"),
        (
            "{\"name\":\"a\",\n\"api\":{\"host\":\"h\",\n\"port\":\"33971\"}}",
            "line 3: 'api.port' is the text \"33971\": write a whole number from 1 to 65535, without quotes"
        ),
        (#"{"name":"a","api":{"host":"h","port":99999}}"#, "'api.port' is 99999: write a whole number from 1 to 65535"),
        (#"{"name":"a","api":{"host":"h","port":-1}}"#, "'api.port' is -1"),
        (#"{"name":"a","api":{"host":"h","port":1.5}}"#, "'api.port' is 1.5"),
        (#"{"name":"a","api":{"host":"h","port":18446744073709551617}}"#, "'api.port' is 18446744073709551617"),
        (#"{"name":7,"api":{"host":"h","port":1}}"#, "'name' is the number 7: write a text in double quotes"),
        (#"{"name":"a","api":{"hots":"h","port":1}}"#, "there is no field 'hots' in 'api' (did you mean 'host'?). There are: host, port"),
        (#"{"name":"a","snapshotblocks":1}"#, "there is no field 'snapshotblocks'. There are: name, api"),
        (#"{"name":"a","api":{"host":"h","port":1},"peers":[{"host":"h","port":0}]}"#, "'peers[0].port' is 0"),
        (#"{"name":"a","name":"b"}"#, "the field 'name' stands here twice"),
        ("{\"name\":\"a\"\n\"api\":1}", "line 2: a comma or '}' is missing before '\"'"),
        (#"{name:"a"}"#, "a field's name in double quotes is missing before 'n'"),
        (#"{"name":"a",}"#, "a field's name in double quotes is missing before '}'; after the last field stands no comma"),
        (#"{"name":a}"#, "'a' is no JSON value; texts stand in double quotes"),
        ("{\"name\":\"a\n\"}", "a text is not closed on its line"),
        (#"{"name":"\ud800"}"#, "is half of a character"),
        (#"{"name":"a","api":{"host":"h","port":01}}"#, "'01' is no JSON value"),
        ("[]", "the document is a list: write an object in braces"),
        ("{} {}", "there is more after the end"),
        (String(repeating: "[", count: 100_000), "more than 32 levels"),
    ])
    func tellsWhatIsWrong(json: String, text: String) throws {
        let found = try #require(problem(json))
        #expect(found.contains(text), "\(found)")
    }

    @Test func nearestNames() {
        #expect(Spelling.nearest(to: "prot", among: ["port", "host"]) == "port")
        #expect(Spelling.nearest(to: "PEERS", among: ["peer", "peers"]) == "peers")
        #expect(Spelling.nearest(to: "x", among: ["port", "host"]) == nil)
        #expect(Spelling.nearest(to: "", among: ["a"]) == nil)
        #expect(Spelling.nearest(to: String(repeating: "a", count: 1_000_000), among: ["aaa"]) == nil)
    }
}
