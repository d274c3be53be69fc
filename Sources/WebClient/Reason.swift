import NIOCore
import NIOPosix
import ProgramSupport

extension HTTPClient {
    private static let noTLS =
        "it offers no TLS, or none that this machine trusts (SSL_CERT_FILE can name a file of authorities); a node itself speaks "
        + "http://, and https:// where a proxy adds it"

    /// Why no answer came, in words for whoever named the address.
    public static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first else {
                return "no machine has this name, as far as this one knows"
            }
            return reason(first.error)
        case let error as IOError:
            return Reason.network(error.errnoCode)
        case let error as HTTPClientError where error == .connectTimeout: return "no connection in time"
        case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
            return "no answer in time"
        case let error as HTTPClientError where error == .remoteConnectionClosed: return "it closed the connection"
        case HTTPClientError.noAuthorities(let path):
            return "SSL_CERT_FILE names '\(path)', which can't be read or has no certificate in it"
        case is NIOTooManyBytesError: return "its answer is longer than any that is taken"
        // What a failed connection is depends on how the name was resolved; the cause is in its text.
        case let error where "\(error)".contains("Connection refused"): return "connection refused"
        case let error where String(reflecting: type(of: error)).hasPrefix("NIOSSL"): return noTLS
        default: return "the connection failed"
        }
    }
}
