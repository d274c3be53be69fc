/// What a contract can do besides keeping state.
enum Chain {
    /// The host refuses longer messages.
    private static let messageLimit = 256

    // MARK: Outcome

    /// Ends the call as failed, with the reason for its sender. Every effect of the call is undone.
    @inline(never)
    static func fail(_ message: Text) -> Never {
        let utf8 = message.utf8
        host_fail(utf8.start, Int32(truncatingIfNeeded: min(utf8.count, messageLimit)))
        // The host has ended the call; C has no type that says so.
        fatalError()
    }

    /// The result of a query, or of a call by another contract; at most 65,536 bytes.
    static func reply<Value: BorshCodable>(_ value: Value) {
        var writer = Writer()
        writer.write(value)
        reply(raw: writer.bytes)
    }

    static func reply(raw bytes: Bytes) {
        host_return_data(bytes.start, Int32(truncatingIfNeeded: bytes.count))
    }

    /// An event in the receipt. Topics hold at most 64 bytes, data at most 4,096.
    static func emit<Value: BorshCodable>(_ topic: StaticString, _ value: Value) {
        var writer = Writer()
        writer.write(value)
        emit(topic, raw: writer.bytes)
    }

    @inline(never)
    static func emit(_ topic: StaticString, raw data: Bytes) {
        host_emit(
            topic.utf8Start, Int32(truncatingIfNeeded: topic.utf8CodeUnitCount),
            data.start, Int32(truncatingIfNeeded: data.count))
    }

    /// Text for whoever debugs a node; no part of the state.
    static func log(_ text: Text) {
        host_log(text.utf8.start, Int32(truncatingIfNeeded: text.utf8.count))
    }

    // MARK: Time

    /// When a scheduled call is to run.
    enum Moment {
        /// At the end of this block, or of the next when this one's budget is spent.
        case now
        /// In the first block whose header time has reached this.
        case at(Milliseconds)
    }

    /// Queues a call of ``Contract/scheduled(_:)``; the chain runs it though nobody sends anything.
    /// - Parameter entry: comes back as the call's `actionId`.
    /// - Returns: whether there was room: a service has 256 places in the queue.
    @discardableResult
    static func schedule<Value: BorshCodable>(_ moment: Moment, entry: UInt32, data: Value) -> Bool {
        var writer = Writer()
        writer.write(data)
        let time: Milliseconds =
            switch moment {
            case .now: 0  // whatever lies in the past is due
            case .at(let time): min(time, UInt64(Int64.max))
            }
        return host_schedule(
            Int64(bitPattern: time), Int32(bitPattern: entry),
            writer.bytes.start, Int32(truncatingIfNeeded: writer.bytes.count)) >= 0
    }

    // MARK: Money

    /// Pays from the contract's balance; false when that is too small.
    static func transfer(_ amount: Amount, to account: Account) -> Bool {
        account.bytes.withPointer { account in
            withPointer(to: amount) { host_transfer(account, $0) == 0 }
        }
    }

    // MARK: Reputation

    enum Role: UInt8 {
        case cloud = 0
        case edge = 1
        case fog = 2
        case device = 3
        case validator = 4
    }

    enum Finding: Int32 {
        case accepted = 0
        case auditedMatch = 1
        case lateButUsed = 2
        case absent = 3
        case outlier = 4
        case committedNotRevealed = 5
    }

    /// One unit of evidence, 1.0 in the reputation's fixed point.
    static let unitWeight: Int64 = 1_048_576

    /// Records a finding about an account that joined this service and has not left it. It is taken only when the
    /// service's validator, or the majority of the drawn committee, has itself sent action 6 with the `postId` `post`,
    /// and once for each account and such validation. The chain caps the weight.
    /// - Returns: whether it counts.
    @discardableResult
    static func verdict(
        _ finding: Finding, about account: Account, as role: Role, post: Bytes, weight: Int64 = unitWeight
    ) -> Bool {
        account.bytes.withPointer {
            host_verdict(
                $0, Int32(role.rawValue), finding.rawValue, weight, post.start,
                Int32(truncatingIfNeeded: post.count)) == 0
        }
    }

    // MARK: Cryptography

    static func sha256(_ bytes: Bytes) -> Digest {
        digest { host_sha256(bytes.start, Int32(truncatingIfNeeded: bytes.count), $0) }
    }

    /// - Parameter signature: 64 bytes; any other length is not a valid signature.
    static func isValidEd25519(signature: Bytes, of message: Bytes, by key: Bytes32) -> Bool {
        guard signature.count == 64 else { return false }
        return key.withPointer {
            host_ed25519_verify($0, signature.start, message.start, Int32(truncatingIfNeeded: message.count)) == 1
        }
    }

    /// The randomness of the previous block: known before this call was sent, so no secret.
    static func randomness() -> Digest { digest { host_randomness($0) } }

    // MARK: Other contracts

    /// Calls another service's contract. The reply is nil when that failed, its effects undone; of
    /// a longer one than `replyLimit` the rest is cut off.
    static func call(
        _ service: Bytes, actionId: UInt32, data: Bytes, value: Amount = 0, replyLimit: UInt16 = 1_024
    ) -> Bytes? {
        let reply = Arena.take(Int(replyLimit))
        let length = withPointer(to: value) {
            host_call(
                service.start, Int32(truncatingIfNeeded: service.count), Int32(bitPattern: actionId),
                data.start, Int32(truncatingIfNeeded: data.count), $0, reply, Int32(replyLimit))
        }
        guard length >= 0 else { return nil }
        return Bytes(start: UnsafeRawPointer(reply), count: Int(min(length, Int32(replyLimit))))
    }

    // MARK: Helpers

    private static func digest(_ fill: (UnsafeMutableRawPointer) -> Void) -> Digest {
        let output = Arena.take(Bytes32.byteCount)
        fill(output)
        return Digest(bytes: Bytes32(at: UnsafeRawPointer(output)))
    }

    private static func withPointer<Result>(to amount: Amount, _ body: (UnsafeRawPointer) -> Result) -> Result {
        withUnsafePointer(to: amount.littleEndian) { body(UnsafeRawPointer($0)) }
    }
}
