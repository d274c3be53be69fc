/// Who gets a place among the followers that came by themselves.
///
/// Places are few, and keeping one costs nothing: whoever takes all of them from two addresses would keep everybody else
/// out for good. So when all are taken a newcomer gets one at the cost of the address that has most, as long as that one
/// keeps more than the newcomer's has.
package enum FollowerPlace: Equatable, Sendable {
    case free
    /// One of this address has to go.
    case insteadOf(String?)
    case none

    /// - Parameters:
    ///   - taken: followers by their addresses.
    ///   - limit: of all together.
    ///   - perAddress: of one address.
    package static func `for`(
        _ address: String?, taken: [String?: Int], limit: Int, perAddress: Int
    ) -> FollowerPlace {
        let own = taken[address, default: 0]
        guard own < perAddress else { return .none }
        guard taken.values.reduce(0, +) >= limit else { return .free }
        // Of several with as many, any: which one does not matter, but it must not depend on a dictionary's order.
        let most = taken.filter { $0.key != address }.max { ($0.value, $0.key ?? "") < ($1.value, $1.key ?? "") }
        guard let most, most.value >= own + 2 else { return .none }
        return .insteadOf(most.key)
    }
}
