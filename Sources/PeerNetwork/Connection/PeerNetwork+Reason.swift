import Foundation
import NIOCore
import NIOPosix
import ProgramSupport

extension PeerNetwork {
    /// Why there is no connection, or none any more, in words for an operator.
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { reason($0.error) } ?? "no machine has this name, as far as this one knows"
        case let error as IOError: Reason.network(error.errnoCode)
        case ChannelError.connectTimeout: Reason.network(ETIMEDOUT)
        case is ChannelError: "it closed the connection"
        default: Reason.text(error)
        }
    }
}
