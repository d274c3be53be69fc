/// Numbers as people read them, the same in every program and in what a node tells.
public enum Digits {
    /// 1234567 as 1,234,567.
    public static func grouped(_ value: some BinaryInteger) -> String {
        var result = ""
        for (offset, digit) in String(value).reversed().enumerated() {
            if offset > 0, offset % 3 == 0, digit != "-" { result.append(",") }
            result.append(digit)
        }
        return String(result.reversed())
    }

    /// Smallest units, the only unit of money that the chain knows.
    public static func money(_ units: some BinaryInteger) -> String {
        grouped(units) + (units == 1 ? " unit" : " units")
    }
}
