// What the job's code speaks of where it is compiled for the host: the counterpart of `Shared.swift`.

@_exported import Cryptography
@_exported import Encoding
@_exported import JobProtocol
@_exported import Primitives

typealias JobStored = BorshCodable
typealias JobStatusSpec = JobSpec

func jobBytes(_ text: String) -> [UInt8] { Array(text.utf8) }
func jobText(_ text: StaticString) -> String { "\(text)" }
func jobDigest(of account: Account) -> Digest { Digest(words: account.words) }
func jobDigest(of key: KEMPublicKey) -> Digest { Digest(words: key.words) }
/// 32 bytes of a byte string that has them.
func jobField(_ bytes: [UInt8], at offset: Int) -> Digest {
    guard offset >= 0, offset + 32 <= bytes.count else { return .zero }
    return Digest(bytes[offset..<offset + 32]) ?? .zero
}

func saturatingAdd<Integer: FixedWidthInteger & UnsignedInteger>(_ a: Integer, _ b: Integer) -> Integer {
    let (sum, overflow) = a.addingReportingOverflow(b)
    return overflow ? .max : sum
}

/// Why an action is refused.
struct Refusal: Error, CustomStringConvertible {
    let text: StaticString
    init(_ text: StaticString) { self.text = text }
    var description: String { "\(text)" }
}

/// A whole message of the job protocol.
func jobDecode<Value: BorshDecodable>(_ bytes: [UInt8], _ what: StaticString) throws(Refusal) -> Value {
    do { return try Value(borsh: bytes) } catch { throw Refusal(what) }
}

struct JobKey<Value: BorshCodable> {
    let bytes: [UInt8]
    init(_ name: StaticString) { bytes = Array("\(name)".utf8) }
    init(_ family: StaticString, _ part: some BorshEncodable) { bytes = Array("\(family)".utf8) + part.borsh }
}

/// A chain that is nothing but what the job sees of it.
struct JobChain {
    struct Verdict: Hashable {
        let finding: JobFinding
        let account: Account
        let role: Role
        let round: UInt32
    }

    var now: UInt64
    let contract: Account
    let owner: Account
    var validator: Account?
    /// Masternodes that a draw gives, in the order of attempts.
    var drawable: [Account] = []
    var storage: [[UInt8]: [UInt8]] = [:]
    /// Times of waiting calls, ascending.
    var queue: [UInt64] = []
    var balance: UInt128 = 0
    var paidOut: UInt128 = 0
    /// Of the calls since they were last taken.
    var verdicts: [Verdict] = []
    var closed: [JobRound] = []
    var fault = StateSearch.Fault.none

    static let queueLimit = 256

    func get<Value>(_ key: JobKey<Value>) -> Value? {
        storage[key.bytes].flatMap { try? Value(borsh: $0) }
    }
    mutating func set<Value>(_ key: JobKey<Value>, _ value: Value) { storage[key.bytes] = value.borsh }
    mutating func remove<Value>(_ key: JobKey<Value>) { storage[key.bytes] = nil }

    mutating func schedule(at time: UInt64) -> Bool {
        guard queue.count < Self.queueLimit else { return false }
        if fault == .losesCalls, time > now { return true }
        let due = max(time, now)
        queue.insert(due, at: queue.firstIndex { $0 > due } ?? queue.count)
        return true
    }

    mutating func transfer(_ amount: UInt128, to account: Account) -> Bool {
        guard amount <= balance else { return false }
        balance -= amount
        paidOut += amount
        if fault == .paysTwice { balance -= min(amount, balance) }
        return true
    }

    mutating func emit(_ topic: StaticString, _ value: some BorshEncodable) {
        if let round = value as? JobRound { closed.append(round) }
    }

    mutating func verdict(_ finding: JobFinding, about account: Account, as role: Role, round: UInt32) {
        verdicts.append(Verdict(finding: finding, account: account, role: role, round: round))
    }

    func drawCommittee(size: UInt8, attempt: UInt8) -> [Account] {
        let start = Int(size) * Int(attempt)
        guard start + Int(size) <= drawable.count else { return [] }
        return Array(drawable[start..<start + Int(size)])
    }

    func reputation(of account: Account, as role: Role) -> UInt64 { 0 }

    /// The search's participants sign what they say that they signed.
    func isSigned(_ message: [UInt8], _ start: Digest, _ end: Digest, by account: Account) -> Bool {
        start == jobDigest(of: account)
    }
}

extension RoundMachine {
    var statusSpec: JobSpec { spec }
}
