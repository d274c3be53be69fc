/// Money as people write it.
public enum Money {
    /// A whole number, plain or in groups of three digits with commas or underscores between them, as the programs print
    /// money, with or without its unit. Any other grouping is a slip: 1,5 is no 15.
    public static func units(_ text: String, _ what: String) throws(UsageError) -> UInt128 {
        var digits = Substring(text)
        for unit in [" units", " unit"] where digits.hasSuffix(unit) { digits = digits.dropLast(unit.count) }
        if let mark = digits.first(where: { $0 == "," || $0 == "_" }) {
            let groups = digits.split(separator: mark, omittingEmptySubsequences: false)
            guard (1...3).contains(groups.first?.count ?? 0), groups.dropFirst().allSatisfy({ $0.count == 3 }) else {
                throw UsageError(
                    "\(what) '\(text)' is not grouped by three digits, as 1,000,000 is; a unit has no fractions")
            }
            digits = Substring(groups.joined())
        }
        guard let value = UInt128(digits), digits.allSatisfy({ $0.isASCII && $0.isNumber }) else {
            throw UsageError("\(what) '\(text)' is not a whole number of units below 2^128, as 5000000 or 5,000,000")
        }
        return value
    }
}
