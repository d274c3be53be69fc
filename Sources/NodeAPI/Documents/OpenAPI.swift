import Foundation

/// `/openapi.json`: OpenAPI 3.1, made from the table of routes and the schemas below.
enum OpenAPI {
    static let version = "1"

    static let data: Data = JSONAnswer.data(document)
    static let answer = StaticAnswer(data, headers: [.contentType: "application/json"])

    static let document: JSONValue = [
        "openapi": "3.1.0",
        "info": [
            "title": "Edgeproof node",
            "version": .string(version),
            "summary": "Blocks, transactions, accounts, services and events of one node",
            "description": .string(conventions),
        ],
        "paths": .object(paths),
        "components": ["schemas": .object(OpenAPISchemas.all), "responses": .object(responses)],
    ]

    private static let conventions = """
        Hashes and keys are lower-case hexadecimal, accounts Bech32m (`edge1...`), `data` base64; u64 and larger numbers \
        are decimal strings; times are milliseconds since 1970. Names of services and posts are text, or `0x` and \
        hexadecimal digits where the bytes are not printable. Everything is about finalised blocks. Every answer of 400 \
        or more is an Error.
        """

    private static var paths: [String: JSONValue] {
        var paths: [String: [String: JSONValue]] = [:]
        for route in Routes.all {
            paths[route.path, default: [:]][route.method.rawValue.lowercased()] = route.operation.document
        }
        return paths.mapValues { .object($0) }
    }

    private static let statuses: [(status: Int, name: String, text: String)] = [
        (400, "Malformed", "A parameter or the body is malformed; the reason names it"),
        (403, "BadSignature", "The signature is not the sender's on this chain"),
        (404, "Unknown", "There is no such thing"),
        (405, "WrongMethod", "Another method is meant: Allow names those that there are"),
        (
            409, "Conflict",
            "The sequence is used, taken by a waiting transaction, or too far ahead; or the position is beyond the chain's end"
        ),
        (410, "BeforeSnapshot", "The node joined by a snapshot and does not have what lies before it"),
        (413, "TooLarge", "The body is over its limit"),
        (431, "HeadTooLarge", "The request's line and headers are over their limits"),
        (422, "Refused", "Well-formed, but the chain's rules or a contract refuse it"),
        (
            429, "TooMuch",
            "The account's credits do not suffice, or the client's address has as much under way as one may, or sent many wrong signatures: retryAfterMs says when to try again"
        ),
        (500, "Internal", "The node failed; its log says why"),
        (503, "Busy", "The node is starting, stopping or at its limit"),
    ]

    static func responseName(_ status: Int) -> String {
        statuses.first { $0.status == status }?.name ?? "Internal"
    }

    private static var responses: [String: JSONValue] {
        var responses: [String: JSONValue] = [:]
        let schema: JSONValue = ["schema": Operation.reference("Error")]
        for entry in statuses {
            responses[entry.name] = [
                "description": .string(entry.text), "content": ["application/json": schema],
            ]
        }
        return responses
    }
}
