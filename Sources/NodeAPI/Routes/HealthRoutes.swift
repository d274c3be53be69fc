import APIModel
import Hummingbird

extension Routes {
    static let health: [Route] = [
        Route(
            method: .get, path: "/health", weight: .light,
            operation: Operation(
                "getHealth",
                "Whether the node can be asked: 200 when it is at the chain's end and the chain moves, else 503 with what is "
                    + "wrong. It answers also when all connections are used up.",
                .json("Health"), otherSuccess: [503])
        ) { _, node in
            let status = await node.backend.status()
            let document = HealthDocument(status)
            return .document(document, status: document.status == .ok ? .ok : .serviceUnavailable)
        }
    ]
}
