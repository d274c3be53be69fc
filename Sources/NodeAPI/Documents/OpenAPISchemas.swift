import APIModel
import Cryptography
import Primitives

/// Schemas of the documents in `APIModel`. Tests hold each document that a route answers with against its schema.
enum OpenAPISchemas {
    static let all: [String: JSONValue] = texts.merging(documents) { _, last in last }.merging(membership) { _, last in
        last
    }

    // MARK: Texts

    private static let texts: [String: JSONValue] = [
        "U64": text("a whole number below 2^64", pattern: numbers(upTo: String(UInt64.max)), example: "120"),
        "U128": text("a whole number below 2^128", pattern: numbers(upTo: String(UInt128.max)), example: "1000000"),
        "Hash": text(
            "32 bytes, lower-case hexadecimal", pattern: "^[0-9a-f]{64}$", example: String(repeating: "7f", count: 32)),
        "Signature": text("64 bytes, lower-case hexadecimal", pattern: "^[0-9a-f]{128}$"),
        "Address": text(
            "an account, Bech32m (BIP 350); one with a wrong checksum is answered with 404",
            // 32 bytes leave four zero bits in the last of 52 characters; six are the checksum.
            pattern: "^edge1[02-9ac-hj-np-z]{51}[qs][02-9ac-hj-np-z]{6}$", example: exampleAccount),
        "Base64": text(
            "bytes (RFC 4648, section 4, padded, unused bits zero)",
            pattern: "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$",
            example: "aGVsbG8="),
        "Label": text("the name of a service or post: at most 32 bytes, as text or as 0x and hexadecimal digits"),
        "Name": [
            "type": "string", "minLength": 1, "maxLength": .integer(RequestInput.longestText), "example": "digits",
            "description":
                "a name: of at most 32 bytes where there is such a thing, as text or as 0x and hexadecimal digits",
        ],
        "Text": text("text"),
        "Place": text(
            "a place among all transactions: height of the block and place in it",
            pattern: "^" + inner(numbers(upTo: String(UInt64.max))) + "\\.(?:0|[1-9][0-9]{0,6})$", example: "120.3"),
        "StateKey": text(
            "the bytes of a state key, lower-case hexadecimal",
            pattern: "^(?:[0-9a-f]{2}){1,\(RequestInput.longestStateKey)}$",
            example: "6765706f6368"),
        "HeightOrLatest": text(
            "a height, or latest", pattern: "^(?:latest|" + inner(numbers(upTo: String(UInt64.max))) + ")$",
            example: "latest"),
    ]

    private static let exampleAccount = Account(Digest(sha256: Array("example".utf8)).bytes)?.description ?? ""

    private static func inner(_ pattern: String) -> String { String(pattern.dropFirst().dropLast()) }

    /// Exactly the decimal numbers from 0 to this one: a schema's bounds are the server's.
    static func numbers(upTo limit: String) -> String {
        let digits = limit.compactMap(\.wholeNumberValue)
        var choices = ["0", "[1-9][0-9]{0,\(digits.count - 2)}"]
        for (index, digit) in digits.enumerated() {
            let lowest = index == 0 ? 1 : 0
            guard digit > lowest else { continue }
            let rest = digits.count - index - 1
            choices.append(
                digits.prefix(index).map(String.init).joined() + "[\(lowest)-\(digit - 1)]"
                    + (rest > 0 ? "[0-9]{\(rest)}" : ""))
        }
        choices.append(limit)
        return "^(?:" + choices.joined(separator: "|") + ")$"
    }

    private static func text(_ description: String, pattern: String? = nil, example: String? = nil) -> JSONValue {
        var members: [String: JSONValue] = ["type": "string", "description": .string(description)]
        if let pattern { members["pattern"] = .string(pattern) }
        if let example { members["example"] = .string(example) }
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

    private static let errorDetail: [Property] = [
        property("code", "Text", "stable, for programs"), property("reason", "Text", "for people"),
        property("retryAfterMs", "U64", "when trying again makes sense").optional,
    ]

    private static let documents: [String: JSONValue] = [
        "Error": object([inline("error", errorDetail)]),
        "Status": status,
        "Genesis": genesis,
        "Block": block,
        "Receipts": object([
            property("height", "U64"), list("receipts", "Receipt", "of transactions, then of scheduled calls"),
        ]),
        "Receipt": receipt,
        "Outcome": object([
            choice("kind", ["succeeded", "recorded", "failed"]), property("message", "Text", "why it failed").optional,
        ]),
        "Event": object([
            property("contract", "Address"), property("topic", "Text"), property("data", "Base64"),
            property("meaning", "Meaning", "absent where the form is not known").optional,
        ]),
        "Meaning": object([
            property("sentence", "Text", "what it did or says"),
            list("fields", "MeaningField", "what stands in the bytes"),
        ]),
        "MeaningField": object([
            property("name", "Text"), property("value", "Text"),
            choice("kind", MeaningDocument.Field.Kind.allCases.map(\.rawValue)),
        ]),
        "Job": object([
            property("title", "Text"), property("phase", "Text"), count("round", "the running one, from 0"),
            count("rounds", "in all"), property("phaseSince", "U64", "ms since 1970"),
            property("deadline", "U64", "when the phase ends at the latest").optional, property("reason", "Text"),
            property("checkpoint", "Hash"), property("metricMicro", "U64", "times 10^6"), property("lossMicro", "U64"),
            property("bestMetricMicro", "U64"), count("acceptedRounds", "closed and accepted"),
            count("rejectedRounds", "closed and not"), property("escrow", "U128", "neither earned nor taken back"),
            property("owed", "U128", "earned, and not yet taken"),
            list("workers", "JobWorker", "who applied"), list("history", "JobRound", "closed rounds, ascending"),
        ]),
        "JobMetrics": object([
            property("phase", "Text"), count("round", "the running one, from 0"), count("rounds", "in all"),
            property("metricMicro", "U64", "accuracy of the accepted model, times 10^6"), property("lossMicro", "U64"),
            property("bestMetricMicro", "U64"), list("history", "JobRound", "the last 64 closed rounds, ascending"),
        ]),
        "JobWorker": object([
            property("account", "Address"), property("role", "Text"), property("standing", "Text"),
            count("index", "place among those of its role"), count("samples", "that it holds"),
            property("endpoint", "Text"),
            flag("committed", "in the running round"), flag("revealed", "in the running round"),
            count("misses", "rounds missed in a row"), count("acceptedRounds", "in which it took part"),
            property("owed", "U128", "pay that it can take").optional,
        ]),
        "JobRound": object([
            count("round", "from 0"), property("outcome", "Text"), property("metricMicro", "U64"),
            property("lossMicro", "U64"),
            property("closedAt", "U64", "ms since 1970"), property("checkpoint", "Hash"),
            count("participants", "workers that delivered"), property("paid", "U128", "for the round's work"),
        ]),
        "Transaction": transaction,
        "TransactionState": transactionState,
        "Submission": object([property("borsh", "Base64", "Borsh of the signed transaction")]),
        "Submitted": object([property("id", "Hash")]),
        "Submissions": object([
            Property(
                name: "transactions",
                schema: [
                    "type": "array", "items": Operation.reference("Base64"), "minItems": 1,
                    "maxItems": .integer(SubmissionLimits.transactions),
                    "description": .string(
                        "Borsh of one signed transaction each, in the order in which they are to be admitted; together at most \(SubmissionLimits.bytes) bytes"
                    ),
                ])
        ]),
        "RefusedSubmission": object([
            count("index", "place among those that were sent, from 0"), inline("error", errorDetail),
        ]),
        "SubmissionsAnswer": object([
            count("accepted", "transactions that the pool has; those that are not listed as refused"),
            list("refused", "RefusedSubmission", "ascending by index"),
        ]),
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
        "ServiceNotice": object([
            choice("kind", ["upgrade", "retire"]),
            property("codeHash", "Hash", "of the code that it is to get").optional,
            property("from", "U64", "ms since 1970 from which on it can happen"),
            property("until", "U64", "and until which it can"),
        ]),
        "Services": object([
            list("services", "Service", "ascending by name"),
            property("next", "Label", "after of the next page; absent on the last").optional,
        ]),
        "Query": object([property("input", "Base64", "argument of the contract's query")]),
        "QueryResult": object([
            property("data", "Base64"), property("gasUsed", "U64"),
            property("height", "U64", "the state after this block was asked"),
        ]),
        "Health": object([
            choice("status", ["ok", "catchingUp", "stalled", "damaged"]), property("height", "U64"),
            property("reason", "Text", "what is wrong and what to do").optional,
        ]),
        "Blocks": object([
            list("blocks", "BlockSummary", "newest first"),
            property("next", "U64", "before of the next page; absent on the last").optional,
        ]),
        "BlockSummary": object([
            property("height", "U64"), property("digest", "Hash"), property("time", "U64", "ms since 1970"),
            property("epoch", "U64"), count("proposer", "place in the epoch's set"),
            count("transactions", "in the block"),
        ]),
        "Transactions": object([
            list("transactions", "ListedTransaction", "newest first"),
            property("next", "Place", "before of the next page; absent on the last").optional,
        ]),
        "ListedTransaction": object([
            property("transaction", "Transaction"), property("height", "U64"), count("index", "place in the block"),
            property("time", "U64", "ms since 1970"), property("outcome", "Outcome").optional,
            property("meaning", "Meaning", "what its data says").optional,
        ]),
        "Accounts": object([
            list("accounts", "AccountSummary", "ascending"),
            property("next", "Address", "after of the next page; absent on the last").optional,
        ]),
        "AccountSummary": object([
            property("account", "Address"), property("balance", "U128"),
            property("sequence", "U64", "of its next transaction"),
            property("entries", "U64", "in its history"),
        ]),
        "Finality": object([
            property("height", "U64"), list("headers", "Base64", "Borsh of headers, ascending from the block on"),
            property("finalization", "Base64", "Borsh of the Finalization of the last header"),
        ]),
        "StateProof": object([
            property("header", "Base64", "Borsh of the header whose stateRoot the proof leads to"),
            property("finalization", "Base64", "Borsh of its Finalization"), property("key", "StateKey"),
            property("value", "Base64", "absent where there is none").optional,
            property("proof", "Base64", "Borsh of the proof"),
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
        inline(
            "head",
            [
                property("height", "U64"), property("digest", "Hash"), property("time", "U64", "ms since 1970"),
            ]),
        inline(
            "state",
            [
                property("height", "U64", "the root is that after this block"), property("root", "Hash"),
            ]),
        property("epoch", "U64"), count("protocolVersion", "of the protocol that the epoch runs").optional,
        inline(
            "upgrade",
            [
                count("protocolVersion", "accepted by the masternodes"),
                property("epoch", "U64", "from whose start on it runs"),
            ]
        ).optional,
        property("view", "U64"), count("peers", "live connections"),
        inline("mempool", [count("transactions", "waiting"), count("bytes", "of those")]),
        property("uptimeMs", "U64"),
        inline("finalityMs", [property("p50", "U64"), property("p95", "U64")]).optional,
        flag("catchingUp", "whether the node fetches blocks that it missed"),
        property("notVoting", "Text", "why this masternode does not vote, and what to do").optional,
        Property(
            name: "clockOffsetMs",
            schema: [
                "type": "integer",
                "description": "ms that its clock is ahead of the other masternodes', about; negative: behind",
            ]
        ).optional,
        property("storeProblem", "Text", "what of its store the node can't read, and what to do").optional,
        inline(
            "liveness",
            [
                flag("stalled", "no block for longer than a heartbeat allows"), property("sinceBlockMs", "U64"),
                property("stallsAfterMs", "U64"), count("masternodes", "in the epoch's set"),
                count("reachable", "of these, connected with the node, and itself"),
                count("quorum", "without which there is no block"),
            ]
        ).optional,
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
        property("border", "U64", "the epoch that began after the block; in the last receipt of a border block")
            .optional,
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
        property("meaning", "Meaning", "what its data says").optional,
        inline(
            "inclusion",
            [
                property("height", "U64"), count("index", "place in the block"),
                property("time", "U64", "ms since 1970"),
                property("receipt", "Receipt"),
            ]
        ).optional,
    ])

    private static let account = object([
        property("account", "Address"), property("sequence", "U64", "of the account's next transaction"),
        property("balance", "U128", "what it can spend"),
        property("locked", "U128", "collateral of the masternode whose consensus key the account is"),
        property("deposit", "U128", "locked for the state that the account made exist"),
        inline("credits", [property("available", "U64"), property("capacity", "U64")]),
        inline(
            "sponsor",
            [
                property("service", "Label", "that paid for the account last, or lends its deposit"),
                property("lent", "U128", "held by the service for the account's record"),
            ]
        ).optional,
        inline("history", [property("size", "U64"), property("root", "Hash")]),
    ])

    private static let historyEntry = object([
        property("index", "U64"), property("height", "U64"), property("time", "U64", "ms since 1970"),
        inline(
            "action",
            [
                property("transaction", "Transaction"), property("outcome", "Outcome"), property("gasUsed", "U64"),
            ]
        ).optional,
        inline(
            "finding",
            [
                property("service", "Label"), choice("role", ["cloud", "edge", "fog", "device", "validator"]),
                choice(
                    "kind",
                    [
                        "accepted", "auditedMatch", "lateButUsed", "absent", "outlier", "notRevealed", "equivocation",
                        "fraud",
                    ]),
                property("weight", "U64", "units of 2^-20"), property("note", "Text", "why it had no effect, or empty"),
            ]
        ).optional,
    ])

    private static let service = object([
        property("id", "Label"), property("contract", "Address"), property("owner", "Address"),
        property("codeHash", "Hash"), property("kind", "Text"), property("validator", "Address").optional,
        property("registeredAt", "U64", "height"), property("balance", "U128", "of the contract's account"),
        property("notice", "ServiceNotice", "what its owner has announced; absent when nothing is pending").optional,
        property("offeredTo", "Address", "who becomes its owner by accepting").optional,
        property("retiredAt", "U64", "height of the block in which it ended").optional,
        property("recordHash", "Hash", "names the record as it is: what a new owner accepts"),
    ])
}
