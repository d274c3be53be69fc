import Consensus
import Cryptography
import NodeCore
import Primitives
import StateSync

/// Events in words for the log, and as numbers for the digest.
enum Words {
    static func short(_ digest: Digest) -> String { String("\(digest)".prefix(8)) }

    static func of(_ message: ConsensusMessage) -> String {
        switch message {
        case .notarizeVote(let vote):
            "notarize view \(vote.subject.view) \(short(vote.subject.digest)) on \(vote.subject.parentView) by m\(vote.signer)"
        case .nullifyVote(let vote): "nullify view \(vote.subject.view) by m\(vote.signer)"
        case .finalizeVote(let vote): "finalize view \(vote.subject.view) \(short(vote.subject.digest)) by m\(vote.signer)"
        case .notarization(let c): "Notarization of view \(c.view) \(short(c.subject.digest))"
        case .nullification(let c): "Nullification of view \(c.view)"
        case .finalization(let c): "Finalization of view \(c.view) \(short(c.subject.digest))"
        case .wantCertificates(_, let from, let through): "want certificates \(from)...\(through)"
        case .wantPosition(let epoch, let isRejoin): "where are you in epoch \(epoch)\(isRejoin ? ", I lost votes" : "")"
        case .position(let epoch, let view, let returned): "in view \(view) of epoch \(epoch), \(returned.count) came back"
        }
    }

    static func of(_ message: NodeMessage) -> String {
        switch message {
        case .consensus(let message): of(message)
        case .body(let block):
            "body of height \(block.header.height) view \(block.header.view) with \(block.transactions.count) transactions"
        case .wantBody(let digest): "want body \(short(digest))"
        case .transactions(let transactions): "\(transactions.count) transactions"
        case .head(let height, let digest): "head \(height) \(short(digest))"
        case .wantBlocks(let from, let count): "want \(count) blocks from \(from)"
        case .blocks(let blocks):
            "\(blocks.count) blocks from \(blocks.first?.block.header.height ?? .zero)"
        case .sketch(let sketch):
            "sketch of height \(sketch.header.height) view \(sketch.header.view) with \(sketch.ids.count) transactions"
        case .wantParts(let digest, let places): "want \(places.count) transactions of \(short(digest))"
        case .parts(let transactions): "\(transactions.count) transactions that were asked for"
        }
    }

    static func of(_ input: NodeInput) -> String {
        switch input {
        case .start: "start"
        case .connected(let peer): "connected with \(peer)"
        case .disconnected(let peer): "disconnected from \(peer)"
        case .message(let message, let peer): "\(peer): \(of(message))"
        case .timer(let timer): "timer \(timer)"
        case .journalDurable(let token): "journal durable to \(token.value)"
        case .committed(let height): "committed \(height)"
        case .beaconMade(let generation, _): "hash chain \(generation) made"
        }
    }

    static func of(_ output: NodeOutput) -> String {
        switch output {
        case .send(let message, let peer): "send \(of(message)) to \(peer)"
        case .broadcast(let message, _): "broadcast \(of(message))"
        case .setTimer(let timer, let at): "set timer \(timer) at \(at.milliseconds)"
        case .cancelTimer(let timer): "cancel timer \(timer)"
        case .journal(let entries, let token): "journal \(entries.count) entries, token \(token.value)"
        case .rewriteJournal(let entries): "rewrite the journal with \(entries.count) entries"
        case .commit(let commits): "commit \(commits.count) blocks"
        case .makeBeacon(let generation): "make hash chain \(generation)"
        case .published(let block): "publish \(block.height)"
        case .admit(let keys): "admit \(keys.count) masternodes"
        case .note(let note): "note \(note)"
        case .halt(let reason): "halt: \(reason)"
        }
    }

    static func of(_ message: SnapshotMessage) -> String {
        switch message {
        case .wantOffers: "what states do you have"
        case .offers(let offers): "states of \(offers.map { "\($0.height) \(short($0.digest))" }.joined(separator: ", "))"
        case .wantHead(let digest): "want head \(short(digest))"
        case .head(let digest, let block): "head \(short(digest))\(block == nil ? ": not here" : "")"
        case .wantLinks(let digest, let from): "want links of \(short(digest)) from epoch \(from)"
        case .links(let digest, let from, let links):
            "links of \(short(digest)) from epoch \(from): \(links.map { "\($0.links.count)" } ?? "not here")"
        case .wantChunk(let digest, let start, _): "want leaves of \(short(digest)) from \(short(start))"
        case .chunk(let digest, let start, let chunk):
            "leaves of \(short(digest)) from \(short(start)): \(chunk.map { "\($0.leaves.count)" } ?? "not here")"
        }
    }

    static func code(of message: SnapshotMessage) -> UInt64 {
        let kind = UInt64(message.kind.rawValue)
        switch message {
        case .wantOffers: return kind
        case .offers(let offers): return offers.reduce(kind) { $0 &* 31 ^ $1.height.value ^ code(of: $1.digest) }
        case .wantHead(let digest), .head(let digest, _), .wantLinks(let digest, _), .links(let digest, _, _):
            return kind ^ code(of: digest)
        case .wantChunk(let digest, let start, _): return kind ^ code(of: digest) ^ code(of: start) &* 31
        case .chunk(let digest, let start, let chunk):
            return kind ^ code(of: digest) ^ code(of: start) &* 31 ^ UInt64(chunk?.leaves.count ?? 99) << 8
        }
    }

    static func code(of output: SnapshotJoin.Output) -> UInt64 {
        switch output {
        case .send(let message, let peer): 51 ^ code(of: message) &* 37 ^ peer.number << 8
        case .trusts: 52
        case .begin(let root): 53 ^ code(of: root)
        case .store(let leaves): 54 ^ UInt64(leaves.count) << 8
        case .complete(let head): 55 ^ code(of: head.digest)
        case .byBlocks: 56
        case .fail: 57
        case .note: 58
        }
    }

    static func code(of digest: Digest) -> UInt64 { digest.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }

    static func code(of message: ConsensusMessage) -> UInt64 {
        switch message {
        case .notarizeVote(let vote): 1 ^ vote.subject.view.value << 8 ^ code(of: vote.subject.digest)
        case .nullifyVote(let vote): 2 ^ vote.subject.view.value << 8 ^ UInt64(vote.signer) << 40
        case .finalizeVote(let vote): 3 ^ vote.subject.view.value << 8 ^ code(of: vote.subject.digest)
        case .notarization(let c): 4 ^ c.view.value << 8 ^ code(of: c.subject.digest)
        case .nullification(let c): 5 ^ c.view.value << 8
        case .finalization(let c): 6 ^ c.view.value << 8 ^ code(of: c.subject.digest)
        case .wantCertificates(_, let from, let through): 7 ^ from.value << 8 ^ through.value << 24
        case .wantPosition(let epoch, let isRejoin): 43 ^ epoch.value << 8 ^ (isRejoin ? 1 << 40 : 0)
        case .position(_, let view, let returned): 44 ^ view.value << 8 ^ UInt64(returned.count) << 40
        }
    }

    static func code(of message: NodeMessage) -> UInt64 {
        switch message {
        case .consensus(let message): code(of: message)
        case .body(let block): 8 ^ block.header.height.value << 8 ^ code(of: block.header.transactionsRoot)
        case .wantBody(let digest): 9 ^ code(of: digest)
        case .transactions(let transactions): 10 ^ UInt64(transactions.count) << 8
        case .head(let height, let digest): 11 ^ height.value << 8 ^ code(of: digest)
        case .wantBlocks(let from, let count): 12 ^ from.value << 8 ^ UInt64(count) << 40
        case .blocks(let blocks): 13 ^ UInt64(blocks.count) << 8
        case .sketch(let sketch): 14 ^ sketch.header.height.value << 8 ^ code(of: sketch.header.transactionsRoot)
        case .wantParts(let digest, let places): 15 ^ code(of: digest) ^ UInt64(places.count) << 8
        case .parts(let transactions): 16 ^ UInt64(transactions.count) << 8
        }
    }

    static func code(of input: NodeInput) -> UInt64 {
        switch input {
        case .start: 21
        case .connected: 22
        case .disconnected: 23
        case .message(let message, _): 24 ^ code(of: message) &* 31
        case .timer(let timer):
            switch timer {
            case .due: 25
            case .tick: 26
            case .consensus: 27
            }
        case .journalDurable(let token): 28 ^ token.value << 8
        case .committed(let height): 29 ^ height.value << 8
        case .beaconMade(let generation, _): 45 ^ UInt64(generation) << 8
        }
    }

    static func code(of output: NodeOutput) -> UInt64 {
        switch output {
        case .send(let message, _): 31 ^ code(of: message) &* 37
        case .broadcast(let message, _): 32 ^ code(of: message) &* 41
        case .setTimer(_, let at): 33 ^ at.milliseconds << 8
        case .cancelTimer: 34
        case .journal(let entries, let token): 35 ^ token.value << 8 ^ UInt64(entries.count) << 40
        case .rewriteJournal(let entries): 36 ^ UInt64(entries.count) << 8
        case .commit(let commits): 37 ^ UInt64(commits.count) << 8
        case .published(let block): 38 ^ block.height.value << 8 ^ code(of: block.digest)
        case .note: 39
        case .makeBeacon(let generation): 46 ^ UInt64(generation) << 8
        case .admit(let keys): 42 ^ UInt64(keys.count) << 8
        case .halt: 40
        }
    }
}
