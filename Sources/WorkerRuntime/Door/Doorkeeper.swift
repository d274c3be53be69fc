import Primitives

/// Who may stay connected to a worker, decided on numbers alone.
///
/// A connection is a stranger's until it has sent a request that a member of the job signed. Strangers are few, of one
/// address fewer still, and never keep a new one out: the one that has waited longest goes. A member's request comes
/// with its first bytes, so idle connections, however many, displace each other and no member. Members have places of
/// their own, which strangers don't touch.
package struct Doorkeeper {
    package typealias Connection = UInt64

    private struct Stranger {
        let connection: Connection
        let address: String
    }

    private struct Guest {
        let connection: Connection
        let account: Account
    }

    // In the order of arrival.
    private var strangers: [Stranger] = []
    private var members: [Guest] = []

    package init() {}

    package var strangerCount: Int { strangers.count }
    package var memberCount: Int { members.count }

    /// - Returns: the connections that are to be closed for it.
    package mutating func arrive(_ connection: Connection, from address: String) -> [Connection] {
        strangers.append(Stranger(connection: connection, address: address))
        var leaving: [Connection] = []
        if strangers.count(where: { $0.address == address }) > WorkerLimits.strangersOfOneAddress,
            let oldest = strangers.firstIndex(where: { $0.address == address })
        {
            leaving.append(strangers.remove(at: oldest).connection)
        }
        if strangers.count > WorkerLimits.strangers { leaving.append(strangers.removeFirst().connection) }
        return leaving
    }

    /// A member has signed what came over the connection.
    /// - Returns: the connections that are to be closed for it.
    package mutating func recognise(_ connection: Connection, as account: Account) -> [Connection] {
        if let known = members.first(where: { $0.connection == connection }), known.account == account { return [] }
        leave(connection)
        members.append(Guest(connection: connection, account: account))
        guard members.count(where: { $0.account == account }) > WorkerLimits.connectionsOfOneMember,
            let oldest = members.firstIndex(where: { $0.account == account })
        else { return [] }
        return [members.remove(at: oldest).connection]
    }

    package func isStranger(_ connection: Connection) -> Bool { !members.contains { $0.connection == connection } }

    package mutating func leave(_ connection: Connection) {
        strangers.removeAll { $0.connection == connection }
        members.removeAll { $0.connection == connection }
    }
}
