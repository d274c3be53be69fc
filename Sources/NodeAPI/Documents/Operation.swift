/// How a route is described in the OpenAPI document.
struct Operation: Sendable {
    struct Parameter: Sendable {
        let name: String
        let place: String
        let schema: JSONValue
        let text: String

        private init(name: String, place: String, schema: String, text: String) {
            self.init(name: name, place: place, value: Operation.reference(schema), text: text)
        }

        private init(name: String, place: String, value: JSONValue, text: String) {
            self.name = name
            self.place = place
            schema = value
            self.text = text
        }

        /// A number that fits any program's integers.
        static func count(_ name: String, _ range: ClosedRange<Int>, _ text: String) -> Parameter {
            Parameter(
                name: name, place: "query",
                value: [
                    "type": "integer", "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound),
                    "example": .integer(range.upperBound / 2),
                ], text: text)
        }

        static func path(_ name: String, _ schema: String, _ text: String) -> Parameter {
            Parameter(name: name, place: "path", schema: schema, text: text)
        }
        static func query(_ name: String, _ schema: String, _ text: String) -> Parameter {
            Parameter(name: name, place: "query", schema: schema, text: text)
        }
        static func header(_ name: String, _ schema: String, _ text: String) -> Parameter {
            Parameter(name: name, place: "header", schema: schema, text: text)
        }

        static let height = path("height", "HeightOrLatest", "height of a finalised block, or latest")
        static let account = path("account", "Address", "Bech32m address")
        static let service = path("service", "Name", "name of a service")

        var document: JSONValue {
            [
                "name": .string(name), "in": .string(place), "required": .bool(place == "path"),
                "description": .string(text), "schema": schema,
            ]
        }
    }

    struct Success: Sendable {
        let status: Int
        let mediaType: String
        let schema: JSONValue
        let text: String

        static func json(_ schema: String, status: Int = 200) -> Success {
            Success(
                status: status, mediaType: "application/json", schema: Operation.reference(schema), text: schema)
        }
        static func bytes(_ text: String) -> Success {
            Success(status: 200, mediaType: "application/octet-stream", schema: [:], text: text)
        }
        static func text(_ mediaType: String, _ text: String) -> Success {
            Success(status: 200, mediaType: mediaType, schema: ["type": "string"], text: text)
        }
        /// OpenAPI 3.1 describes a stream by the type of its text; the schema of each event's data stands beside it.
        static func eventStream(_ schema: String) -> Success {
            Success(
                status: 200, mediaType: "text/event-stream",
                schema: [
                    "type": "string", "description": "data of each `block` event: #/components/schemas/\(schema)",
                ], text: "a stream of events that does not end")
        }
    }

    let id: String
    let summary: String
    let success: Success
    let parameters: [Parameter]
    /// Schema of the JSON body; the same bytes are taken raw as application/octet-stream.
    let body: String?
    /// Another form of the JSON body, with the type under which the same is taken raw.
    let otherBody: (schema: String, mediaType: String)?
    let errors: [Int]
    /// Other statuses with the same document.
    let otherSuccess: [Int]
    /// What the other form of the body is answered with.
    let otherAnswer: Success?

    init(
        _ id: String, _ summary: String, _ success: Success, parameters: [Parameter] = [], body: String? = nil,
        errors: [Int] = [], otherSuccess: [Int] = [], otherBody: (schema: String, mediaType: String)? = nil,
        otherAnswer: Success? = nil
    ) {
        self.otherBody = otherBody
        self.otherAnswer = otherAnswer
        self.id = id
        self.summary = summary
        self.success = success
        self.parameters = parameters
        self.body = body
        self.errors = errors
        self.otherSuccess = otherSuccess
    }

    var document: JSONValue {
        let content: JSONValue = .object([success.mediaType: ["schema": success.schema]])
        var responses: [String: JSONValue] = [
            String(success.status): ["description": .string(success.text), "content": content]
        ]
        for status in otherSuccess {
            responses[String(status)] = ["description": .string(success.text), "content": content]
        }
        if let other = otherAnswer {
            responses[String(other.status)] = [
                "description": .string(other.text), "content": .object([other.mediaType: ["schema": other.schema]]),
            ]
        }
        for status in errors + (otherSuccess.contains(503) ? [400, 405, 431, 500] : [400, 405, 431, 500, 503]) {
            responses[String(status)] = ["$ref": .string("#/components/responses/\(OpenAPI.responseName(status))")]
        }
        var members: [String: JSONValue] = [
            "operationId": .string(id), "summary": .string(summary), "responses": .object(responses),
        ]
        if !parameters.isEmpty { members["parameters"] = .array(parameters.map(\.document)) }
        if let body {
            let raw: JSONValue = ["schema": [:]]
            var content: [String: JSONValue] = ["application/octet-stream": raw]
            if let other = otherBody {
                content[other.mediaType] = raw
                content["application/json"] = [
                    "schema": ["oneOf": [Self.reference(body), Self.reference(other.schema)]]
                ]
            } else {
                content["application/json"] = ["schema": Self.reference(body)]
            }
            members["requestBody"] = ["required": true, "content": .object(content)]
        }
        return .object(members)
    }

    static func reference(_ schema: String) -> JSONValue { ["$ref": .string("#/components/schemas/\(schema)")] }
}
