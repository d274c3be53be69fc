import Cryptography
import Foundation
import Hummingbird

/// The explorer at `/`: one page without outside assets. What it shows comes from `/v1`; every text of the chain is
/// set as text, never as markup, and the policy lets the browser run and load nothing else.
enum Explorer {
    static let html = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Edgeproof explorer</title>
        <link rel="icon" href="data:,">
        <style>\(style)</style>
        </head>
        <body>
        <header>
          <a class="brand" href="#/">Edgeproof</a><span id="chain" class="chain"></span>
          <form id="search" role="search">
            <input id="query" type="search" autocomplete="off" spellcheck="false" maxlength="128"
              aria-label="Search" placeholder="Height, transaction id, account or service">
            <button>Search</button>
          </form>
          <span id="live" class="live" role="status">connecting</span>
        </header>
        <main id="main"><noscript>The explorer needs JavaScript. The same data is at <a href="/v1/status">/v1/status</a>;
          <a href="/openapi.json">/openapi.json</a> describes it.</noscript></main>
        <footer><span id="node"></span><a href="/openapi.json">API</a><a href="/metrics">Metrics</a></footer>
        <script>\(script)</script>
        </body>
        </html>

        """

    /// Runs and loads exactly what is in the page.
    static let policy =
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; style-src '\(source(style))'; script-src '\(source(script))'"

    private static func source(_ text: String) -> String {
        "sha256-" + Data(Digest(sha256: Array(text.utf8)).bytes).base64EncodedString()
    }

    static var response: Response {
        var headers: HTTPFields = [
            .contentType: "text/html; charset=utf-8", .contentSecurityPolicy: policy, .cacheControl: "no-cache",
        ]
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
    }
}
