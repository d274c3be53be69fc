import Cryptography
import Encoding
import Primitives

/// Code of contracts: uploaded once, used by any number of services, removed by whoever uploaded it when none is left.
extension Executor {
    /// Stores a module under its SHA-256. The same module again is no failure: nobody has to ask whether it is there.
    func uploadContract(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        try refuseValue(of: transaction)
        let code = transaction.data
        try gas.charge(HostGas.loading(codeBytes: code.count))
        let hash = Digest(sha256: code)
        let key = StateKey.code(hash)
        try gas.charge(readGas(key))
        guard try value(key) == nil else { return }
        try gas.charge(writeGas(key, bytes: code.count).addingSaturating(writeGas(.codeRecord(hash), bytes: 96)))
        // Receipts are protocol, so they don't carry the words of this engine; admission says what is wrong.
        guard (try? ContractModule(checking: code)) != nil else {
            throw .failed("the data is no acceptable contract module")
        }
        let deposit = parameters.codeDeposit(codeBytes: code.count)
        try hold(deposit, of: transaction.sender, for: "the code")
        overlay.set(key, code)
        overlay.set(.codeRecord(hash), CodeRecord(owner: transaction.sender, deposit: deposit))
    }

    /// Takes code away that no service uses, and gives its deposit back.
    func removeContract(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        try refuseValue(of: transaction)
        let data: RemoveContract = try decode(transaction)
        let key = StateKey.codeRecord(data.codeHash)
        try gas.charge(writeGas(key).addingSaturating(writeGas(.code(data.codeHash))))
        guard let record: CodeRecord = try decoded(key) else {
            throw .failed("no contract with hash \(data.codeHash) is uploaded")
        }
        guard record.owner == transaction.sender else {
            throw .failed("the code was uploaded by \(record.owner), who alone can remove it")
        }
        guard record.services == 0 else {
            throw .failed("\(record.services == 1 ? "a service uses" : "\(record.services) services use") this code: retire it first")
        }
        overlay.set(.code(data.codeHash), nil)
        overlay.set(key, nil)
        do { try treasury.release(record.deposit, of: transaction.sender) } catch { throw .ledger(error) }
    }

    /// Notes that one more service uses the code, or is about to. Whatever puts a hash into a service's record goes
    /// through here, so that no code goes that a contract still needs.
    func beginUse(of hash: Digest) throws(Halt) {
        guard var record: CodeRecord = try decoded(.codeRecord(hash)) else {
            throw .failed("no contract with hash \(hash) is uploaded")
        }
        record.services = record.services.addingSaturating(1)
        overlay.set(.codeRecord(hash), record)
    }

    /// The other end of ``beginUse(of:)``.
    func endUse(of hash: Digest) throws(Halt) {
        guard var record: CodeRecord = try decoded(.codeRecord(hash)), record.services > 0 else {
            throw .ledger(.corruptState(.codeRecord(hash), "a service ends to use code that has no user"))
        }
        record.services -= 1
        overlay.set(.codeRecord(hash), record)
    }
}

extension Parameters {
    /// What uploaded code locks: its bytes, and the record of whose it is.
    public func codeDeposit(codeBytes: Int) -> UInt128 {
        deposit(keyBytes: 33, valueBytes: codeBytes) + deposit(keyBytes: 33, valueBytes: 56)
    }
}
