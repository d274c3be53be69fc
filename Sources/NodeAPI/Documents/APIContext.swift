import Hummingbird
import HummingbirdCore
import Logging

/// What a handler needs beside the request.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// Cuts the client off.
    let closeConnection: @Sendable () -> Void

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        let channel = source.channel
        closeConnection = { channel.close(promise: nil) }
    }
}

enum HTTP1Limits {
    /// Heads are small here: no cookies, no long addresses.
    static let fieldBytes = 8_192
    static let listBytes = 16_384

    static func channel(idleSeconds: Int64) -> HTTP1Channel.Configuration {
        HTTP1Channel.Configuration(
            additionalChannelHandlers: [UnreadableRequestHandler()], idleTimeout: .seconds(idleSeconds),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: fieldBytes, maxHeaderListSize: listBytes, maxHeaderFieldCount: 64))
    }
}

enum MaximumConnections {
    static func limit(_ count: Int, logger: Logger) -> any AvailableConnectionsDelegate {
        MaximumAvailableConnections(count, logger: logger)
    }
}

/// Writes bodies in chunks, each under a time limit, so that a slow reader neither holds memory nor a place for long.
struct GuardedWriter {
    static let chunk = 64 * 1_024

    let timeout: Duration
    let closeConnection: @Sendable () -> Void

    func write(_ buffer: ByteBuffer, to writer: inout any ResponseBodyWriter) async throws {
        let deadline = Deadlines.shared.set(after: timeout, closeConnection)
        defer { Deadlines.shared.callOff(deadline) }
        try await writer.write(buffer)
    }

    /// - Parameter permit: held until all is written.
    func body(_ bytes: some Collection<UInt8> & Sendable, holding permit: Gate.Permit?) -> ResponseBody {
        let whole = ByteBuffer(bytes: bytes)
        return ResponseBody(contentLength: whole.readableBytes) { writer in
            var rest = whole
            while let part = rest.readSlice(length: min(Self.chunk, rest.readableBytes)), part.readableBytes > 0 {
                try await write(part, to: &writer)
            }
            try await writer.finish(nil)
            withExtendedLifetime(permit) {}
        }
    }
}
