extension Explorer {
    /// Masternodes and what they vote on.
    static let scriptMembership = #"""
        const standing = m => make("span", { class: { active: "good", waiting: "soft" }[m.status.kind] || "bad" },
          m.status.kind + ({ active: " since epoch ", waiting: " for epoch " }[m.status.kind] || " in epoch ") + m.status.epoch);
        const connection = m => m.isSelf ? make("span", { class: "soft" }, "this node")
          : make("span", { class: m.connected ? "good" : "bad" }, m.connected ? "connected" : "not connected");
        const brief = c => c.consensusKey ? "remove masternode " + short(c.consensusKey) : c.description;
        views.masternode = async (key, paint) => {
          const [m, set] = await Promise.all([get("masternodes/" + part(key)), get("masternodes")]);
          const place = (index, epoch) => (index === undefined ? "not in that of epoch " : "place " + index + " in epoch ") + epoch;
          paint(make("h1", {}, "Masternode " + m.name), facts(null, [
            ["Consensus key", hash(m.consensusKey)], ["Owner", wholeAccount(m.owner)], ["Status", standing(m)],
            m.status.unlocksAt && ["Collateral locked until", moment(m.status.unlocksAt) + " UTC at least"],
            ["Collateral", grouped(m.collateral)],
            ["Set", place(m.index, set.epoch) + ", " + place(m.nextIndex, String(BigInt(set.epoch) + 1n))],
            ["Last seen", m.seenThisEpoch ? "in this epoch" : "in epoch " + m.lastSeen],
            ["Registered in block", blockLink(m.registeredAt)], ["Connection", connection(m)]]));
        };

        """#
}
