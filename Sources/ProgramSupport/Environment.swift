import Foundation

/// What the environment says. A variable that is set to nothing counts as not set: `EDGEPROOF_KEYS= chain-cli ...` is
/// how people take a variable back.
public enum Environment {
    public static func value(
        _ name: String, in environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String? {
        guard let text = environment[name], !text.isEmpty else { return nil }
        return text
    }
}
