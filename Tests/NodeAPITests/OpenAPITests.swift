import APIModel
import Foundation
import NodeAPI
import Primitives
import Testing

/// The OpenAPI document against the server: every route is in it, every path in it answers, and what the server
/// answers is what the schemas say.
@Suite(.timeLimit(.minutes(20))) struct OpenAPITests {
    @Test func describesExactlyTheRoutes() async throws {
        try await serving(try FakeNode()) { live in
            let document = try await OpenAPIDocument(live)
            let described = document.operations.map { "\($0.method) \($0.path)" }.sorted()
            #expect(described == Routes.all.map { "\($0.method.rawValue.lowercased()) \($0.path)" }.sorted())
            #expect(Set(document.operations.map(\.id)).count == described.count)
            // Every reference leads somewhere.
            for reference in document.references { #expect(document.resolve(reference) != nil, "\(reference)") }
        }
    }

    /// Whoever reads the document sees what a value looks like, and what an operation takes can be tried.
    @Test func parametersHaveExamples() async throws {
        try await serving(try FakeNode()) { live in
            let document = try await OpenAPIDocument(live)
            #expect(document.parameters.count > 20)
            for (operation, name, schema) in document.parameters {
                let meant = (schema["$ref"] as? String).flatMap { document.resolve($0) } ?? schema
                #expect(
                    meant["example"] != nil || meant["enum"] != nil || meant["type"] as? String == "boolean",
                    "\(operation): \(name)")
            }
        }
    }

    /// Calls each operation with an example and checks status, media type and document.
    @Test func answersAsDescribed() async throws {
        let node = try FakeNode()
        node.closeRound(0, phase: .commit)
        node.addProposals()
        try await serving(node) { live in
            let document = try await OpenAPIDocument(live)
            let alice = Account(FakeNode.alice.publicKey)
            let signed = try SignedTransaction.record(
                "hello", sequence: 0, genesis: node.genesisHash, service: "digits")
            let examples: [String: String] = [
                "{height}": "2", "{number}": "3", "{consensusKey}": FakeNode.key(112).publicKey.hex,
                "{account}": alice.description, "{service}": "digits",
                "{id}": signed.transaction.id(genesis: node.genesisHash).hex, "{key}": "6765706f6368",
                "{hash}": node.state.withLock { $0.codes.first!.hex },
            ]
            for operation in document.operations.sorted(by: { $0.method > $1.method })
            where operation.path != "/v1/events" {
                var path = operation.path
                for (name, value) in examples { path = path.replacingOccurrences(of: name, with: value) }
                var body: [UInt8]?
                if operation.id == "submitTransaction" { body = signed.borsh }
                if operation.id == "queryService" { body = [0] }
                // A list of one key of one byte.
                if operation.id == "getProofs" { body = [1, 0, 0, 0, 1, 0, 0, 0, 0x61] }
                let answer = try await live.request(path, method: operation.method.uppercased(), body: body)
                let success = try #require(operation.success)
                #expect(answer.status == success.status, "\(operation.id): \(answer.text.prefix(300))")
                #expect(answer.headers["content-type"]?.hasPrefix(success.mediaType) == true, "\(operation.id)")
                guard success.mediaType == "application/json", operation.id != "getOpenAPI" else { continue }
                let json = try JSONSerialization.jsonObject(with: Data(answer.body))
                let problems = document.problems(json, success.schema, at: operation.id)
                #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
                if operation.id == "submitTransaction" { node.addFinding(about: alice) }
            }
            // Errors too, and the two documents that no plain answer shows.
            let error = try JSONSerialization.jsonObject(with: Data(try await live.request("/v1/nothing").body))
            #expect(document.problems(error, document.schema("Error"), at: "Error").isEmpty)
            for try await block in try live.client().events(from: Height(1)) {
                let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(block))
                #expect(document.problems(json, document.schema("BlockEvent"), at: "BlockEvent").isEmpty)
                break
            }
        }
    }
}

/// As much of OpenAPI and JSON Schema as the node's document uses. Undescribed members are problems too.
private struct OpenAPIDocument: @unchecked Sendable {
    struct Operation {
        let method: String
        let path: String
        let id: String
        let success: (status: Int, mediaType: String, schema: [String: Any])?
    }

    let root: [String: Any]

    init(_ live: LiveNode) async throws {
        let answer = try await live.request("/openapi.json")
        root = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
    }

    var operations: [Operation] {
        let paths = root["paths"] as? [String: [String: [String: Any]]] ?? [:]
        return paths.flatMap { path, methods in
            methods.map { method, operation in
                let responses = operation["responses"] as? [String: [String: Any]] ?? [:]
                // Of several the last: many transactions are answered with another one than the one that is sent here.
                let success = responses.filter { $0.key.hasPrefix("2") }.max { $0.key < $1.key }.flatMap {
                    status, response in
                    (response["content"] as? [String: [String: Any]])?.first.map {
                        (Int(status) ?? 0, $0.key, $0.value["schema"] as? [String: Any] ?? [:])
                    }
                }
                return Operation(
                    method: method, path: path, id: operation["operationId"] as? String ?? "", success: success)
            }
        }
    }

    var parameters: [(operation: String, name: String, schema: [String: Any])] {
        let paths = root["paths"] as? [String: [String: [String: Any]]] ?? [:]
        return paths.values.flatMap(\.values).flatMap { operation in
            (operation["parameters"] as? [[String: Any]] ?? []).map {
                (
                    operation["operationId"] as? String ?? "", $0["name"] as? String ?? "",
                    $0["schema"] as? [String: Any] ?? [:]
                )
            }
        }
    }

    var references: [String] {
        func collect(_ value: Any) -> [String] {
            switch value {
            case let members as [String: Any]:
                members.flatMap { $0.key == "$ref" ? [$0.value as? String ?? ""] : collect($0.value) }
            case let elements as [Any]: elements.flatMap(collect)
            default: []
            }
        }
        return collect(root)
    }

    func resolve(_ reference: String) -> [String: Any]? {
        reference.split(separator: "/").dropFirst().reduce(root as Any?) { value, part in
            (value as? [String: Any])?[String(part)]
        } as? [String: Any]
    }

    func schema(_ name: String) -> [String: Any] { resolve("#/components/schemas/\(name)") ?? [:] }

    func problems(_ value: Any, _ schema: [String: Any], at place: String) -> [String] {
        if let reference = schema["$ref"] as? String {
            guard let target = resolve(reference) else { return ["\(place): no schema \(reference)"] }
            return problems(value, target, at: place)
        }
        switch schema["type"] as? String {
        case "object":
            guard let members = value as? [String: Any] else { return ["\(place): not an object"] }
            guard let properties = schema["properties"] as? [String: [String: Any]] else { return [] }
            let missing = (schema["required"] as? [String] ?? []).filter { members[$0] == nil }
            return missing.map { "\(place): '\($0)' is missing" }
                + members.flatMap { name, member in
                    properties[name].map { problems(member, $0, at: "\(place).\(name)") }
                        ?? ["\(place): '\(name)' is not described"]
                }
        case "array":
            guard let elements = value as? [Any] else { return ["\(place): not an array"] }
            let items = schema["items"] as? [String: Any] ?? [:]
            return elements.enumerated().flatMap { problems($0.element, items, at: "\(place)[\($0.offset)]") }
        case "string":
            guard let text = value as? String else { return ["\(place): not a string"] }
            if let choices = schema["enum"] as? [String], !choices.contains(text) { return ["\(place): '\(text)'"] }
            if let pattern = schema["pattern"] as? String, text.range(of: pattern, options: .regularExpression) == nil {
                return ["\(place): '\(text)' does not match \(pattern)"]
            }
            return []
        case nil where schema.isEmpty: return []
        case "integer": return value is Int ? [] : ["\(place): not an integer"]
        case "boolean": return value is Bool ? [] : ["\(place): not a boolean"]
        default: return ["\(place): a schema without a type"]
        }
    }
}
