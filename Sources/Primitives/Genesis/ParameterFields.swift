/// The parameters by name, in the order of their bytes: for the encoding, and for governance, which changes one at a
/// time.
extension Parameters {
    struct Field: Sendable {
        enum Place: Sendable {
            case wide(any WritableKeyPath<Parameters, UInt64> & Sendable)
            case narrow(any WritableKeyPath<Parameters, UInt32> & Sendable)
        }

        let name: String
        let place: Place
        let isChangeable: Bool

        init(_ name: String, _ place: Place, isChangeable: Bool = true) {
            self.name = name
            self.place = place
            self.isChangeable = isChangeable
        }
    }

    /// Reputation is replayed offline with the genesis' decay period, and deposits come back as they were locked, so
    /// those stay.
    static let fields: [Field] = [
        Field("networkDelayMs", .wide(\.networkDelayMs)),
        Field("heartbeatMs", .wide(\.heartbeatMs)),
        Field("clockAheadMs", .wide(\.clockAheadMs)),
        Field("blockBytes", .narrow(\.blockBytes)),
        Field("blockGas", .wide(\.blockGas)),
        Field("transactionGas", .wide(\.transactionGas)),
        Field("validityMs", .wide(\.validityMs)),
        Field("gasPerTransaction", .wide(\.gasPerTransaction)),
        Field("gasPerDataByte", .wide(\.gasPerDataByte)),
        Field("gasPerStorageByte", .wide(\.gasPerStorageByte)),
        Field("gasPerStorageAccess", .wide(\.gasPerStorageAccess)),
        Field("gasPerStorageWrite", .wide(\.gasPerStorageWrite)),
        Field("gasPerSignatureCheck", .wide(\.gasPerSignatureCheck)),
        Field("creditsPerTransactionByte", .wide(\.creditsPerTransactionByte)),
        Field("balancePerCredit", .wide(\.balancePerCredit)),
        Field("creditWindowMs", .wide(\.creditWindowMs)),
        Field("depositPerKey", .wide(\.depositPerKey), isChangeable: false),
        Field("depositPerByte", .wide(\.depositPerByte), isChangeable: false),
        Field("scheduledGasPerBlock", .wide(\.scheduledGasPerBlock)),
        Field("scheduledGasPerCall", .wide(\.scheduledGasPerCall)),
        Field("scheduledCallsPerService", .narrow(\.scheduledCallsPerService)),
        Field("scheduledCallsPerBlock", .narrow(\.scheduledCallsPerBlock)),
        Field("decayPeriodMs", .wide(\.decayPeriodMs), isChangeable: false),
        Field("depositPerVerdict", .wide(\.depositPerVerdict)),
        Field("epochBlocks", .wide(\.epochBlocks)),
        Field("epochMs", .wide(\.epochMs)),
        Field("collateral", .wide(\.collateral)),
        Field("unbondingMs", .wide(\.unbondingMs)),
        Field("evidenceEpochs", .wide(\.evidenceEpochs)),
        Field("rewardPerEpoch", .wide(\.rewardPerEpoch)),
        Field("serviceNoticeMs", .wide(\.serviceNoticeMs)),
    ]

    /// All names, in the order of the bytes.
    public static let names: [String] = fields.map(\.name)

    /// Names that governance may change.
    public static let changeable: [String] = fields.filter(\.isChangeable).map(\.name)

    /// The value of a parameter; nil where there is none of this name.
    public func value(of name: String) -> UInt64? {
        switch Self.fields.first(where: { $0.name == name })?.place {
        case .wide(let path): self[keyPath: path]
        case .narrow(let path): UInt64(self[keyPath: path])
        case nil: nil
        }
    }

    /// Parameters of these values; nil unless there is a usable one for each of ``names``.
    public init?(values: [String: UInt64]) {
        self.init()
        for field in Self.fields {
            guard let value = values[field.name] else { return nil }
            switch field.place {
            case .wide(let path): self[keyPath: path] = value
            case .narrow(let path):
                guard let narrow = UInt32(exactly: value) else { return nil }
                self[keyPath: path] = narrow
            }
        }
        guard problem == nil else { return nil }
    }

    /// These parameters with one of them changed, or why that can't be.
    public func changing(_ name: String, to value: UInt64) -> Result<Parameters, ParameterError> {
        guard let field = Self.fields.first(where: { $0.name == name }) else { return .failure(.unknown(name)) }
        guard field.isChangeable else { return .failure(.fixed(name)) }
        var changed = self
        switch field.place {
        case .wide(let path): changed[keyPath: path] = value
        case .narrow(let path):
            guard let narrow = UInt32(exactly: value) else { return .failure(.unusable("\(name) \(value) is over 2^32 - 1")) }
            changed[keyPath: path] = narrow
        }
        if let problem = changed.problem ?? changed.stoppage ?? changed.misfit(after: self) { return .failure(.unusable(problem)) }
        return .success(changed)
    }

    /// What would stop a running chain, or let it run away, with nothing left to undo it: bounds for governance, which a
    /// genesis made for tests may exceed. What must fit whatever is set is in `ParameterDuties.swift`.
    private var stoppage: String? {
        let ranges: [(String, ClosedRange<UInt64>)] = [
            ("networkDelayMs", 50...60_000), ("heartbeatMs", 100...3_600_000), ("clockAheadMs", 100...60_000),
            ("validityMs", 30_000...86_400_000), ("epochBlocks", 4...100_000), ("epochMs", 1...604_800_000),
            ("unbondingMs", 1...31_536_000_000), ("evidenceEpochs", 1...Self.longestEvidenceEpochs),
            ("collateral", 1...(1 << 62)), ("blockGas", 1_000_000...10_000_000_000),
            ("transactionGas", 1_000_000...10_000_000_000), ("gasPerTransaction", 0...1_000_000),
            ("gasPerDataByte", 0...100), ("gasPerStorageByte", 0...1_000), ("gasPerStorageAccess", 0...100_000), ("gasPerStorageWrite", 0...1_000_000),
            ("gasPerSignatureCheck", 0...1_000_000), ("scheduledGasPerBlock", 1...10_000_000_000),
            ("scheduledGasPerCall", 1_000_000...10_000_000_000), ("scheduledCallsPerBlock", 8...100_000),
            ("creditsPerTransactionByte", 0...10_000), ("creditWindowMs", 1_000...86_400_000),
            ("scheduledCallsPerService", 8...65_536), ("serviceNoticeMs", 60_000...31_536_000_000),
        ]
        for (name, range) in ranges {
            guard let value = value(of: name) else { continue }
            if !range.contains(value) {
                return "\(name) \(value) is not in \(range.lowerBound)...\(range.upperBound): it could stop the chain"
            }
        }
        // Else no masternode could report, propose or vote any more.
        if creditsMissing(collateral: UInt128(collateral)) > 0 {
            let earned = collateral / max(1, balancePerCredit)
            return "balancePerCredit \(balancePerCredit) lets the collateral earn \(earned) credits, too few for ten transactions of \(transactionGas) gas: it could stop the chain"
        }
        return nil
    }
}

public enum ParameterError: Error, Equatable, Sendable, CustomStringConvertible {
    case unknown(String)
    case fixed(String)
    case unusable(String)

    public var description: String {
        switch self {
        case .unknown(let name): "there is no parameter '\(name)'"
        case .fixed(let name): "'\(name)' is fixed by the genesis: what was counted or locked by it must stay what it was"
        case .unusable(let problem): problem
        }
    }
}
