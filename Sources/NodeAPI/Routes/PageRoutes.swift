import Hummingbird

extension Routes {
    static let pages: [Route] = [
        Route(
            method: .get, path: "/metrics", weight: .light,
            operation: Operation(
                "getMetrics", "Counters and gauges for Prometheus",
                .text("text/plain", "text exposition format 0.0.4"))
        ) { _, node in
            .response(
                Response(
                    status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: await node.backend.metrics() + node.metrics))))
        },
        Route(
            method: .get, path: "/openapi.json", weight: .light,
            operation: Operation("getOpenAPI", "This document", .text("application/json", "OpenAPI 3.1"))
        ) { _, _ in
            .fixed(OpenAPI.answer)
        },
        Route(
            method: .get, path: "/", weight: .light,
            operation: Operation("getExplorer", "The explorer, a page for people", .text("text/html", "HTML"))
        ) { _, _ in .fixed(Explorer.page) },
        Route(
            method: .get, path: "/explorer.css", weight: .light,
            operation: Operation("getExplorerStyle", "The explorer's style", .text("text/css", "CSS"))
        ) { _, _ in .fixed(Explorer.style) },
        Route(
            method: .get, path: "/explorer.js", weight: .light,
            operation: Operation("getExplorerScript", "The explorer's script", .text("text/javascript", "JavaScript"))
        ) { _, _ in .fixed(Explorer.script) },
    ]
}
