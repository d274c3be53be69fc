import Primitives

extension Outcome {
    /// A failure whose message fits a receipt: cut between Unicode scalars, never between what a Unicode table calls
    /// characters, since receipts must not depend on the version of such a table.
    static func stopped(_ message: String) -> Outcome {
        guard message.utf8.count > ChainLimits.failureMessageBytes else { return .failed(message) }
        var kept = String.UnicodeScalarView()
        var bytes = 0
        for scalar in message.unicodeScalars {
            bytes += UTF8.width(scalar)
            if bytes > ChainLimits.failureMessageBytes { break }
            kept.append(scalar)
        }
        return .failed(String(kept))
    }
}
