import PeerNetwork
import Primitives

extension NodeService {
    private static let listedBans = 32

    /// Prometheus text exposition format, version 0.0.4.
    public nonisolated func metrics() async -> String {
        await freshMetrics.value(at: view.current.header.height) { await self.metricsNow() }
    }

    private func metricsNow() async -> String {
        let traffic = network.metrics
        let facts = await chainFacts()
        var text = ""
        func add(_ name: String, _ kind: String, _ help: String, _ value: some CustomStringConvertible) {
            text += "# HELP edgeproof_\(name) \(help)\n# TYPE edgeproof_\(name) \(kind)\nedgeproof_\(name) \(value)\n"
        }
        add("height", "gauge", "Height of the newest final block.", machine.published.header.height)
        if let liveness = facts.map({ liveness($0) }) {
            add("stalled", "gauge", "1 while no block comes for longer than a heartbeat allows.", liveness.isStalled ? 1 : 0)
            add("since_block_seconds", "gauge", "Since a block became final here.", Double(liveness.sinceBlockMs) / 1_000)
            add("masternodes", "gauge", "Masternodes of the epoch's set.", liveness.masternodes)
            add("masternodes_reachable", "gauge", "Of these, connected with this node, and itself.", liveness.reachable)
            add("quorum", "gauge", "Masternodes without which there is no block.", liveness.quorum)
        }
        add("view", "gauge", "View that consensus is in.", machine.view)
        add("peers", "gauge", "Connected nodes.", peerBook.count)
        if machine.identity != nil {
            add("observing", "gauge", "1 while this masternode does not vote since votes of its key are lost or not known.", machine.notVoting == nil ? 0 : 1)
        }
        if let offset = machine.clockOffsetMs {
            add("clock_offset_seconds", "gauge", "How far this machine's clock is ahead of the other masternodes', about.", Double(offset) / 1_000)
        }
        add("store_damaged", "gauge", "1 while something in the store can't be read.", health.problem == nil ? 0 : 1)
        add("store_read_failures_total", "counter", "Reads that met damage in the store.", health.failures)
        add("store_healed_blocks_total", "counter", "Blocks that could not be read and were fetched again.", health.healedBlocks)
        add("peer_inbound_bytes", "gauge", "Bytes of peers' messages that wait for this node.", traffic.inboundBytes)
        add("peer_frames_refused_total", "counter", "Frames that nobody wanted from their sender, skipped unread.", traffic.framesRefused)
        add("peer_refused_total", "counter", "Connections refused before they were anybody's.", traffic.connectionsRefused)
        add("peer_handshakes_refused_total", "counter", "Connections that got no TLS handshake, since too many came.", traffic.handshakesRefused)
        add("snapshot_requests_refused_total", "counter", "Requests of joining nodes that got no answer, since too many came.", snapshots.unansweredRequests)
        add("mempool_transactions", "gauge", "Transactions that wait for a block.", machine.mempool.count)
        add("mempool_bytes", "gauge", "Bytes of these.", machine.mempool.byteCount)
        add("candidate_blocks", "gauge", "Bodies of blocks that are not final.", machine.candidateCount)
        add("head_time_seconds", "gauge", "Header time of the newest final block.", Double(machine.published.header.time.value) / 1_000)
        if let p50 = finality.percentile(50), let p95 = finality.percentile(95) {
            add("finality_p50_seconds", "gauge", "Median time from submission here to durable finality.", Double(p50) / 1_000)
            add("finality_p95_seconds", "gauge", "95th percentile of the same.", Double(p95) / 1_000)
        }
        add("finality_samples", "gauge", "Submissions behind the finality percentiles.", finality.count)
        add("peer_bytes_received_total", "counter", "Bytes from peers.", traffic.bytesReceived)
        add("peer_bytes_sent_total", "counter", "Bytes to peers.", traffic.bytesSent)
        add("peer_messages_received_total", "counter", "Messages from peers.", traffic.messagesReceived)
        add("peer_messages_sent_total", "counter", "Messages to peers.", traffic.messagesSent)
        add("peer_known_addresses", "gauge", "Masternodes whose address is known.", traffic.knownAddresses)
        add("peer_offences_total", "counter", "Things that peers did and the protocol does not allow.", traffic.offences)
        text += "# HELP edgeproof_peer_offences_by_kind_total The same by kind.\n# TYPE edgeproof_peer_offences_by_kind_total counter\n"
        for kind in PeerOffence.allCases {
            text += "edgeproof_peer_offences_by_kind_total{kind=\"\(kind)\"} \(traffic.offencesByKind[kind] ?? 0)\n"
        }
        add("peer_bans_total", "counter", "Bans imposed.", traffic.bansImposed)
        add("peer_bans", "gauge", "Bans that last.", traffic.bans.count)
        text += "# HELP edgeproof_peer_ban_seconds What is left of the longest bans.\n# TYPE edgeproof_peer_ban_seconds gauge\n"
        for ban in traffic.bans.prefix(Self.listedBans) {
            text += "edgeproof_peer_ban_seconds{peer=\"\(ban.who)\"} \(ban.secondsLeft)\n"
        }
        return text
    }
}
