import Foundation
import NodeAPI
import Testing

@Suite(.timeLimit(.minutes(20))) struct ExplorerTests {
    /// The page needs nothing from elsewhere, and its policy lets the browser run just the node's own files.
    @Test func isSelfContained() async throws {
        try await serving(try FakeNode()) { live in
            let page = try await live.request("/")
            #expect(page.status == 200)
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            let policy = try #require(page.headers["content-security-policy"])
            #expect(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"))
            #expect(!policy.contains("unsafe"))
            let style = try await live.request("/explorer.css")
            let script = try await live.request("/explorer.js")
            #expect(style.headers["content-type"]?.hasPrefix("text/css") == true && style.body.count > 1_000)
            #expect(script.headers["content-type"]?.hasPrefix("text/javascript") == true && script.body.count > 10_000)
            // No text of the chain becomes markup.
            for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                #expect(!script.text.contains(forbidden) && !page.text.contains(forbidden))
            }
            let outside = (page.text + style.text + script.text).replacing("http://www.w3.org/2000/svg", with: "")
            #expect(!outside.contains("http://") && !outside.contains("https://"))
            #expect(page.text.contains("src=\"/explorer.js\"") && page.text.contains("href=\"/explorer.css\""))
        }
    }

    /// What the script asks for is there.
    @Test func asksForWhatTheNodeHas() async throws {
        try await serving(try FakeNode()) { live in
            let script = try await live.request("/explorer.js").text
            let known = Set(Routes.all.map { $0.path.split(separator: "/").dropFirst().first.map(String.init) ?? "" })
            let asked = script.matches(of: /get\("([a-z]+)/).map { String($0.output.1) }
            #expect(asked.count > 10)
            for name in asked { #expect(known.contains(name), "\(name)") }
        }
    }
}
