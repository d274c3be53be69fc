import NIOCore
import Primitives
import Synchronization

/// The connections of a worker's endpoint, and which requests of members are being answered.
final class Door: Sendable {
    fileprivate struct State {
        var keeper = Doorkeeper()
        var channels: [UInt64: any Channel] = [:]
        var last: UInt64 = 0
        var answering: Set<Account> = []
    }

    private let state = Mutex(State())

    func nextNumber() -> UInt64 {
        state.withLock {
            $0.last &+= 1
            return $0.last
        }
    }

    func arrive(_ number: UInt64, channel: any Channel) {
        let address = channel.remoteAddress?.ipAddress ?? ""
        close(
            state.withLock {
                $0.channels[number] = channel
                return $0.take($0.keeper.arrive(number, from: address))
            })
    }

    func recognise(_ number: UInt64, as account: Account) {
        close(
            state.withLock {
                guard $0.channels[number] != nil else { return [] }
                return $0.take($0.keeper.recognise(number, as: account))
            })
    }

    func isStranger(_ number: UInt64) -> Bool { state.withLock { $0.keeper.isStranger(number) } }

    func leave(_ number: UInt64) {
        state.withLock {
            $0.keeper.leave(number)
            $0.channels[number] = nil
        }
    }

    func closeAll() {
        close(
            state.withLock {
                let all = Array($0.channels.values)
                $0.channels = [:]
                return all
            })
    }

    /// Runs the body unless an answer for this member is under way: one at a time is its share.
    func answer<Value: Sendable>(for account: Account, _ body: @Sendable () async -> Value) async -> Value? {
        guard state.withLock({ $0.answering.insert(account).inserted }) else { return nil }
        let value = await body()
        state.withLock { _ = $0.answering.remove(account) }
        return value
    }

    private func close(_ channels: [any Channel]) {
        for channel in channels { channel.close(promise: nil) }
    }
}

extension Door.State {
    fileprivate mutating func take(_ numbers: [UInt64]) -> [any Channel] { numbers.compactMap { channels.removeValue(forKey: $0) } }
}
