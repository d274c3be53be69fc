import Foundation
import Hummingbird

/// The explorer at `/`: a page, its style and its script, which lie beside this file and are built into the program.
/// What it shows comes from `/v1`; every text of the chain is set as text, never as markup, and the policy lets the
/// browser run and load nothing but these three.
enum Explorer {
    private static let policy =
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; style-src 'self'; script-src 'self'"

    static let page = asset(PackageResources.explorer_html, "text/html; charset=utf-8")
    static let style = asset(PackageResources.explorer_css, "text/css; charset=utf-8")
    static let script = asset(PackageResources.explorer_js, "text/javascript; charset=utf-8")

    private static func asset(_ bytes: [UInt8], _ type: String) -> StaticAnswer {
        var headers: HTTPFields = [.contentType: type, .contentSecurityPolicy: policy]
        headers[.xContentTypeOptions] = "nosniff"
        return StaticAnswer(Data(bytes), headers: headers)
    }
}
