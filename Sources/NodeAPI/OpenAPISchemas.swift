/// Schemas of the documents in `APIModel`. Tests hold each document that a route answers with against its schema.
enum OpenAPISchemas {
    static let all: [String: JSONValue] = texts.merging(documents) { _, last in last }.merging(membership) { _, last in last }

    // MARK: Texts

    private static let texts: [String: JSONValue] = [
        "U64": text("a whole number below 2^64", pattern: "^(0|[1-9][0-9]{0,19})$"),
        "U128": text("a whole number below 2^128", pattern: "^(0|[1-9][0-9]{0,38})$"),
        "Hash": text("32 bytes, lower-case hexadecimal", pattern: "^[0-9a-f]{64}$"),
        "Signature": text("64 bytes, lower-case hexadecimal", pattern: "^[0-9a-f]{128}$"),
        "Address": text("an account, Bech32m", pattern: "^edge1[02-9ac-hj-np-z]{58}$"),
        "Base64": text("bytes", pattern: "^[A-Za-z0-9+/]*={0,2}$"),
        "Label": text("the name of a service or post: at most 32 bytes, as text or as 0x and hexadecimal digits"),
        "Text": text("text"),
        "HeightOrLatest": text("a height, or latest", pattern: "^(latest|0|[1-9][0-9]{0,19})$"),
    ]

    private static func text(_ description: String, pattern: String? = nil) -> JSONValue {
        var members: [String: JSONValue] = ["type": "string", "description": .string(description)]
        if let pattern { members["pattern"] = .string(pattern) }
        return .object(members)
    }

    // MARK: Building blocks

    /// A property. Optional ones may be absent, never null.
    struct Property {
        let name: String
        let schema: JSONValue
        var isOptional = false

        var optional: Property { Property(name: name, schema: schema, isOptional: true) }
    }

    static func property(_ name: String, _ schema: String, _ text: String? = nil) -> Property {
        var members: [String: JSONValue] = ["$ref": .string("#/components/schemas/\(schema)")]
        if let text { members["description"] = .string(text) }
        return Property(name: name, schema: .object(members))
    }
    static func count(_ name: String, _ text: String) -> Property {
        Property(name: name, schema: ["type": "integer", "minimum": 0, "description": .string(text)])
    }
    static func flag(_ name: String, _ text: String) -> Property {
        Property(name: name, schema: ["type": "boolean", "description": .string(text)])
    }
    static func choice(_ name: String, _ values: [String]) -> Property {
        Property(name: name, schema: ["type": "string", "enum": .array(values.map { .string($0) })])
    }
    static func list(_ name: String, _ schema: String, _ text: String) -> Property {
        Property(
            name: name,
            schema: ["type": "array", "items": Operation.reference(schema), "description": .string(text)])
    }
    static func inline(_ name: String, _ properties: [Property]) -> Property {
        Property(name: name, schema: object(properties))
    }

    static func object(_ properties: [Property]) -> JSONValue {
        [
            "type": "object",
            "properties": .object(Dictionary(properties.map { ($0.name, $0.schema) }) { _, last in last }),
            "required": .array(properties.filter { !$0.isOptional }.map { .string($0.name) }),
        ]
    }

    // MARK: Documents

    private static let documents: [String: JSONValue] = [
        "Error": object([
            inline("error", [
                property("code", "Text", "stable, for programs"), property("reason", "Text", "for people"),
                property("retryAfterMs", "U64", "when trying again makes sense").optional,
            ])
        ]),
        "Status": status,
        "Genesis": genesis,
        "Block": block,
        "Receipts": object([property("height", "U64"), list("receipts", "Receipt", "of transactions, then of scheduled calls")]),
        "Receipt": receipt,
        "Outcome": object([
            choice("kind", ["succeeded", "recorded", "failed"]), property("message", "Text", "why it failed").optional,
        ]),
        "Event": object([
            property("contract", "Address"), property("topic", "Text"), property("data", "Base64"),
        ]),
        "Transaction": transaction,
        "TransactionState": transactionState,
        "Submission": object([property("borsh", "Base64", "Borsh of the signed transaction")]),
        "Submitted": object([property("id", "Hash")]),
        "Account": account,
        "HistoryEntry": historyEntry,
        "History": object([
            property("account", "Address"), property("size", "U64", "entries in the whole history"),
            property("root", "Hash", "RFC 9162 root over all entries"), list("entries", "HistoryEntry", "ascending"),
            property("next", "U64", "from of the next page; absent on the last").optional,
        ]),
        "ReputationEntry": object([
            choice("role", ["cloud", "edge", "fog", "device", "validator"]),
            property("positive", "U64", "units of 2^-20"), property("negative", "U64", "units of 2^-20"),
            property("period", "U64", "decay period up to which both are decayed"),
            property("score", "U64", "R in units of 2^-20, at the newest block's time"),
        ]),
        "Reputation": object([property("account", "Address"), list("roles", "ReputationEntry", "roles with evidence")]),
        "Service": service,
        "Services": object([
            list("services", "Service", "ascending by name"),
            property("next", "Label", "after of the next page; absent on the last").optional,
        ]),
        "Query": object([property("input", "Base64", "argument of the contract's query")]),
        "QueryResult": object([
            property("data", "Base64"), property("gasUsed", "U64"),
            property("height", "U64", "the state after this block was asked"),
        ]),
        "Code": object([property("hash", "Hash", "SHA-256 of the module")]),
        "BlockEvent": object([
            property("height", "U64"), property("digest", "Hash"), property("time", "U64", "ms since 1970"),
            list("transactions", "Hash", "ids"), list("events", "Event", "of contracts, in the order of the receipts"),
        ]),
    ]

    private static let status = object([
        property("chain", "Text"), property("genesisHash", "Hash"), property("version", "Text"),
        choice("role", ["masternode", "follower"]), property("node", "Text", "name of the node"),
        inline("head", [
            property("height", "U64"), property("digest", "Hash"), property("time", "U64", "ms since 1970"),
        ]),
        inline("state", [
            property("height", "U64", "the root is that after this block"), property("root", "Hash"),
        ]),
        property("epoch", "U64"), count("protocolVersion", "of the protocol that the epoch runs").optional,
        inline("upgrade", [
            count("protocolVersion", "accepted by the masternodes"), property("epoch", "U64", "from whose start on it runs"),
        ]).optional,
        property("view", "U64"), count("peers", "live connections"),
        inline("mempool", [count("transactions", "waiting"), count("bytes", "of those")]),
        property("uptimeMs", "U64"),
        inline("finalityMs", [property("p50", "U64"), property("p95", "U64")]).optional,
        flag("catchingUp", "whether the node fetches blocks that it missed"),
        property("notVoting", "Text", "why this masternode does not vote, and what to do").optional,
    ])

    private static let genesis = object([
        property("chainName", "Text"), property("time", "U64", "ms since 1970"),
        Property(name: "parameters", schema: ["type": "object", "description": "explained in Docs/operating.md"]),
        Property(name: "masternodes", schema: ["type": "array", "items": ["type": "object"]]),
        Property(name: "allocations", schema: ["type": "array", "items": ["type": "object"]]),
        property("genesisHash", "Hash"),
    ])

    private static let block = object([
        property("height", "U64"), property("digest", "Hash"), property("view", "U64"), property("epoch", "U64"),
        property("parent", "Hash"), count("proposer", "place in the epoch's set"),
        property("time", "U64", "ms since 1970"), property("transactionsRoot", "Hash"),
        property("stateRoot", "Hash", "of the state before this block"),
        property("receiptsRoot", "Hash", "of the parent's receipts"), property("gasUsed", "U64", "by the parent"),
        property("reveal", "Hash"), property("randomness", "Hash"), property("activeSetHash", "Hash"),
        property("nextSetHash", "Hash"), property("parentCertificateHash", "Hash"),
        Property(
            name: "finalizedBy",
            schema: [
                "type": "array", "items": ["type": "integer", "minimum": 0],
                "description": "places of the signers; absent where a descendant's finalisation proves the block",
            ], isOptional: true),
        count("bytes", "size of the encoded block"), list("transactions", "Transaction", "without data"),
    ])

    private static let receipt = object([
        property("transaction", "Hash", "absent for a scheduled call").optional,
        inline("scheduled", [property("contract", "Address"), property("number", "U64")]).optional,
        property("border", "U64", "the epoch that began after the block; in the last receipt of a border block").optional,
        property("outcome", "Outcome"), property("gasUsed", "U64"), list("events", "Event", "what it announced"),
        property("returned", "Hash", "SHA-256 of what the contract returned"),
    ])

    private static let transaction = object([
        property("id", "Hash"), property("sender", "Address"), property("sequence", "U64"),
        property("validUntil", "U64", "ms since 1970"), property("gasLimit", "U64"), property("value", "U128"),
        property("serviceId", "Label"), property("postId", "Label"), count("actionId", "0 to 65535"),
        property("action", "Text", "name of the action"), count("dataBytes", "length of data"),
        property("data", "Base64", "absent in lists").optional,
        property("signature", "Signature", "absent in lists and histories").optional,
    ])

    private static let transactionState = object([
        choice("state", ["pending", "included"]), property("transaction", "Transaction"),
        inline("inclusion", [
            property("height", "U64"), count("index", "place in the block"), property("time", "U64", "ms since 1970"),
            property("receipt", "Receipt"),
        ]).optional,
    ])

    private static let account = object([
        property("account", "Address"), property("sequence", "U64", "of the account's next transaction"),
        property("balance", "U128", "what it can spend"),
        property("locked", "U128", "collateral of the masternode whose consensus key the account is"),
        inline("credits", [property("available", "U64"), property("capacity", "U64")]),
        inline("history", [property("size", "U64"), property("root", "Hash")]),
    ])

    private static let historyEntry = object([
        property("index", "U64"), property("height", "U64"), property("time", "U64", "ms since 1970"),
        inline("action", [
            property("transaction", "Transaction"), property("outcome", "Outcome"), property("gasUsed", "U64"),
        ]).optional,
        inline("finding", [
            property("service", "Label"), choice("role", ["cloud", "edge", "fog", "device", "validator"]),
            choice("kind", ["accepted", "auditedMatch", "lateButUsed", "absent", "outlier", "notRevealed", "equivocation"]),
            property("weight", "U64", "units of 2^-20"), property("note", "Text", "why it had no effect, or empty"),
        ]).optional,
    ])

    private static let service = object([
        property("id", "Label"), property("contract", "Address"), property("owner", "Address"),
        property("codeHash", "Hash"), property("kind", "Text"), property("validator", "Address").optional,
        property("registeredAt", "U64", "height"), property("balance", "U128", "of the contract's account"),
    ])
}
