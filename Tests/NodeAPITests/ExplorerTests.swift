import Cryptography
import Foundation
import NodeAPI
import Testing

@Suite struct ExplorerTests {
    /// The page needs nothing from elsewhere, and its policy allows exactly what is in it.
    @Test func isSelfContained() async throws {
        try await serving(try FakeNode()) { live in
            let page = try await live.request("/")
            #expect(page.status == 200)
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            let html = page.text
            #expect(!html.contains("http://") && !html.contains("https://") && !html.contains("innerHTML"))
            let policy = try #require(page.headers["content-security-policy"])
            #expect(policy.contains("default-src 'none'"))
            for tag in ["script", "style"] {
                let start = try #require(html.range(of: "<\(tag)>"))
                let end = try #require(html.range(of: "</\(tag)>"))
                let content = html[start.upperBound..<end.lowerBound]
                let hash = Data(Digest(sha256: Array(content.utf8)).bytes).base64EncodedString()
                #expect(policy.contains("'sha256-\(hash)'"), "\(tag)")
            }
        }
    }
}
