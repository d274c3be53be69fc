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
                    body: ResponseBody(byteBuffer: ByteBuffer(string: await node.backend.metrics()))))
        },
        Route(
            method: .get, path: "/openapi.json", weight: .light,
            operation: Operation("getOpenAPI", "This document", .text("application/json", "OpenAPI 3.1"))
        ) { _, _ in
            .response(
                Response(
                    status: .ok, headers: [.contentType: "application/json"],
                    body: ResponseBody(byteBuffer: ByteBuffer(bytes: OpenAPI.data))))
        },
        Route(
            method: .get, path: "/", weight: .light,
            operation: Operation("getExplorer", "The explorer, a page for people", .text("text/html", "HTML"))
        ) { _, _ in .response(Explorer.response) },
    ]
}
