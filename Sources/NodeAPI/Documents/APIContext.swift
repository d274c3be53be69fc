import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ProgramSupport

/// What a handler needs beside the request.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// Cuts the client off.
    let closeConnection: @Sendable () -> Void
    private let channel: any Channel

    /// Who is at the other end; nil for what has no IP address.
    var holder: AddressHolder? { channel.remoteAddress?.ipAddress.flatMap(AddressHolder.init) }

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        let channel = source.channel
        closeConnection = { channel.close(promise: nil) }
        self.channel = channel
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

    /// - Parameters:
    ///   - pace: nil for a short one.
    ///   - place: held until all is written.
    func body(
        _ bytes: some Collection<UInt8> & Sendable, pace: ReadingPace? = nil, holding place: GatedPlaces.Place? = nil
    ) -> ResponseBody {
        let whole = ByteBuffer(bytes: bytes)
        return ResponseBody(contentLength: whole.readableBytes) { writer in
            var pace = pace
            try await write(whole, to: &writer, &pace)
            try await writer.finish(nil)
            withExtendedLifetime(place) {}
        }
    }

    /// - Parameters:
    ///   - heavy: each piece is such work, for the holder; what waits for the reader does not hold a place there.
    ///   - place: held until all is written.
    func body(
        _ pieces: BytePieces, by heavy: HeavyWork, for holder: AddressHolder?, pace: ReadingPace,
        holding place: GatedPlaces.Place?
    ) -> ResponseBody {
        ResponseBody { writer in
            var pace: ReadingPace? = pace
            while let piece = try await heavy.run(for: holder, .underWay, pieces.next) {
                try await write(ByteBuffer(bytes: piece), to: &writer, &pace)
            }
            try await writer.finish(nil)
            withExtendedLifetime(place) {}
        }
    }

    private func write(
        _ whole: ByteBuffer, to writer: inout any ResponseBodyWriter, _ pace: inout ReadingPace?
    ) async throws {
        var rest = whole
        while let part = rest.readSlice(length: min(Self.chunk, rest.readableBytes)), part.readableBytes > 0 {
            let start = ContinuousClock.now
            try await write(part, to: &writer)
            guard pace?.keeps(bytes: part.readableBytes, in: ContinuousClock.now - start) ?? true else {
                closeConnection()
                throw ReadTooSlowly()
            }
        }
    }
}

/// How slowly a long answer may be read: a place for one is not to be had for a trickle.
struct ReadingPace {
    private var left: Duration
    private let bytesPerSecond: Int

    init(grace: Duration, bytesPerSecond: Int) {
        left = grace
        self.bytesPerSecond = max(1, bytesPerSecond)
    }

    /// - Returns: false once the reader has used up its time.
    mutating func keeps(bytes: Int, in time: Duration) -> Bool {
        left += Duration.seconds(1) * bytes / bytesPerSecond
        left -= time
        return left >= .zero
    }
}

/// Ends an answer in its middle; the connection is closed, and the reader sees that the answer is not whole.
struct ReadTooSlowly: Error {}
