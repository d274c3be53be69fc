import Foundation

/// Why something failed, in words for people. The product's errors speak for themselves; those of libraries and of the
/// system do not.
public enum Reason {
    private static let foreign = [
        "NIO", "Swift.", "Foundation", "_Foundation", "Hummingbird", "__C.", "Yams.", "Crypto.", "CryptoExtras.",
        "SwiftASN1.",
    ]

    /// Whether an error is of a library or of the system.
    public static func isForeign(_ error: any Error) -> Bool {
        let type = String(reflecting: type(of: error))
        return foreign.contains { type.hasPrefix($0) }
    }

    /// What to say of it. Of a library's error only the kind is told, where it is one that people can put right.
    public static func text(_ error: any Error) -> String {
        if let code = systemCode(of: error) { return InputFile.reason(code) }
        switch error {
        case let error as CocoaError:
            switch error.code {
            case .fileNoSuchFile, .fileReadNoSuchFile: return InputFile.reason(ENOENT)
            case .fileReadNoPermission, .fileWriteNoPermission: return InputFile.reason(EACCES)
            case .fileWriteOutOfSpace: return InputFile.reason(ENOSPC)
            case .fileWriteVolumeReadOnly: return InputFile.reason(EROFS)
            case .fileWriteFileExists: return "it is there already"
            case .fileReadInapplicableStringEncoding, .fileReadCorruptFile: return "it is no text in UTF-8"
            default: return "the system refused it"
            }
        case is DecodingError: return "it has another form than it must have"
        default: return isForeign(error) ? "of a cause that has no words (\(type(of: error)))" : "\(error)"
        }
    }

    /// What the system's error numbers mean for whoever named an address.
    public static func network(_ code: Int32) -> String {
        switch code {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET, EPIPE, ENOTCONN: "it closed the connection"
        case EHOSTUNREACH, ENETUNREACH: "there is no way to that address"
        case ETIMEDOUT: "no connection in time"
        default: InputFile.reason(code)
        }
    }

    /// The system's error number, where it is one.
    private static func systemCode(of error: any Error) -> Int32? {
        if let error = error as? CocoaError { return error.underlying.flatMap { systemCode(of: $0) } }
        let bridged = error as NSError
        return bridged.domain == NSPOSIXErrorDomain ? Int32(exactly: bridged.code) : nil
    }
}
