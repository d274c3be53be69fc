import APIModel
import Hummingbird
import Primitives

extension Routes {
    static let chain: [Route] = [
        Route(
            method: .get, path: "/v1/status", weight: .light,
            operation: Operation("getStatus", "The node and the chain it is on", .json("Status"))
        ) { _, node in
            .document(StatusDocument(await node.backend.status(), genesis: node.backend.genesis, hash: node.genesis))
        },
        Route(
            method: .get, path: "/v1/genesis", weight: .light,
            operation: Operation(
                "getGenesis", "The genesis document, as in genesis.json; whoever audits gets it elsewhere",
                .json("Genesis"))
        ) { _, node in
            .fixed(node.genesisDocument)
        },
        Route(
            method: .get, path: "/v1/blocks/{height}", weight: .expensive,
            operation: Operation(
                "getBlock", "A finalised block, its transactions without their data", .json("Block"),
                parameters: [.height], errors: [400, 404, 410, 429, 503])
        ) { input, node in
            let height = try await resolve(input, node)
            guard let block = try await node.backend.block(at: height) else { throw unknownBlock(height, node) }
            return .document(BlockDocument(block, genesis: node.genesis))
        },
        Route(
            method: .get, path: "/v1/blocks/{height}/receipts", weight: .expensive,
            operation: Operation(
                "getReceipts", "What became of a block's transactions and of the calls that were due at its end",
                .json("Receipts"), parameters: [.height], errors: [400, 404, 410, 429, 503])
        ) { input, node in
            let height = try await resolve(input, node)
            guard let receipts = try await node.backend.receipts(at: height) else { throw unknownBlock(height, node) }
            return .document(ReceiptsDocument(height: height, receipts: receipts))
        },
        Route(
            method: .get, path: "/v1/events", weight: .light,
            operation: Operation(
                "getEvents",
                """
                Finalised blocks as server-sent events: `event: block`, `id:` the height, `data:` a BlockEvent. \
                Without a position the stream starts after the newest block. A client that reads slowly is cut off; \
                it resumes with Last-Event-ID. Blocks of long ago come one at a time, for all clients together. A position beyond the next block is answered with 409.
                """,
                .eventStream("BlockEvent"),
                parameters: [
                    .query("from", "U64", "first height to send"),
                    .header("Last-Event-ID", "U64", "height of the last event that was received"),
                ], errors: [400, 409, 503])
        ) { input, node in .response(try await EventStream.response(input, node)) },
    ]
}
