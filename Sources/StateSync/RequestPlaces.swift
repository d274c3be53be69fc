import Primitives

/// Requests of peers that wait for their answer. Strangers have places of their own: what they take, all together, masternodes
/// do not miss.
package struct RequestPlaces: Sendable {
    private struct Places: Sendable {
        var of: [PeerId: Int] = [:]
        var sum = 0
    }

    private var masternodes = Places()
    private var strangers = Places()

    package init() {}

    /// - Parameters:
    ///   - most: that one peer may have.
    ///   - inAll: that all of its kind may have.
    /// - Returns: false where there is no place; the request gets no answer then.
    package mutating func enter(_ peer: PeerId, isStranger: Bool, most: Int, inAll: Int) -> Bool {
        func enter(_ places: inout Places) -> Bool {
            guard places.sum < inAll, places.of[peer, default: 0] < most else { return false }
            places.sum += 1
            places.of[peer, default: 0] += 1
            return true
        }
        return isStranger ? enter(&strangers) : enter(&masternodes)
    }

    package mutating func leave(_ peer: PeerId, isStranger: Bool) {
        func leave(_ places: inout Places) {
            guard let held = places.of[peer] else { return }
            places.sum -= 1
            places.of[peer] = held > 1 ? held - 1 : nil
        }
        if isStranger { leave(&strangers) } else { leave(&masternodes) }
    }
}
