import NIOCore

/// `length: u32` (little endian, of what follows), `kind: u8`, payload.
package struct Frame: Equatable, Sendable {
    package let kind: UInt8
    package let payload: [UInt8]

    package init(kind: UInt8, payload: [UInt8]) {
        self.kind = kind
        self.payload = payload
    }
}

package enum FrameKind {
    package static let hello: UInt8 = 0
    /// The receiver's Hello is accepted.
    package static let welcome: UInt8 = 1
    package static let goodbye: UInt8 = 2
    /// Payload: 8 bytes, which the pong repeats.
    package static let ping: UInt8 = 3
    package static let pong: UInt8 = 4
    /// Asks for addresses of masternodes; no payload.
    package static let wantAddresses: UInt8 = 5
    /// Payload: ``AddressAnswer``.
    package static let addresses: UInt8 = 6
    package static let firstApplication: UInt8 = 16
}

package enum FrameLimit {
    /// Bytes after the length, on an established connection: a block and what is around it.
    package static let established = 9_000_000
    /// Before the peer has said who it is, and for whatever is no message of the application.
    package static let handshake = 4_096
    /// An answer with as many addresses as one may hold.
    package static let addresses = 64_000
    static let header = 5
}

/// A frame on its way out. The payload's bytes are shared among all peers that get it.
struct OutboundFrame: Sendable {
    let kind: UInt8
    let payload: ByteBuffer

    init(kind: UInt8, payload: ByteBuffer) {
        self.kind = kind
        self.payload = payload
    }

    init(_ frame: Frame) { self.init(kind: frame.kind, payload: ByteBuffer(bytes: frame.payload)) }

    var byteCount: Int { FrameLimit.header + payload.readableBytes }

    /// Whether it is copied into one write with others; larger payloads are not copied.
    var isSmall: Bool { payload.readableBytes <= 16_384 }

    func writeHeader(to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt32(truncatingIfNeeded: payload.readableBytes + 1), endianness: .little)
        buffer.writeInteger(kind)
    }
}

/// Cuts a stream of bytes into frames. Holds no more than one frame beyond what was read at once.
package struct FrameReader {
    package enum Failure: Error, Equatable {
        case empty
        case tooLong(length: Int, limit: Int)

        var reason: DisconnectReason {
            switch self {
            case .empty: .malformed("a frame without a kind")
            case .tooLong(let length, let limit): .frameTooLong(length: length, limit: limit)
            }
        }
    }

    package enum Item: Equatable {
        case frame(Frame, PeerRank)
        /// Its payload was skipped.
        case refused(kind: UInt8, PeerOffence?)
    }

    private enum Place {
        case header
        case payload(kind: UInt8, length: Int, PeerRank)
        case skipping(kind: UInt8, left: Int, PeerOffence?)
    }

    private var buffer = ByteBuffer()
    private var place = Place.header
    /// Most bytes after a frame's length.
    package var limit: Int

    package init(limit: Int) { self.limit = limit }

    package mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole frame, whatever its kind; nil until more bytes come.
    package mutating func next() throws(Failure) -> Frame? {
        guard case .frame(let frame, _) = try next({ _, _ in .take(.urgent) }) else { return nil }
        return frame
    }

    /// The next frame; nil until more bytes come.
    ///
    /// - Parameter judge: says from a frame's kind and the length of its payload whether it is read or skipped.
    package mutating func next(_ judge: (UInt8, Int) -> FrameJudgement) throws(Failure) -> Item? {
        if case .header = place {
            guard let declared = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt32.self) else {
                return nil
            }
            let length = Int(clamping: declared)
            guard length > 0 else { throw .empty }
            guard length <= limit else { throw .tooLong(length: length, limit: limit) }
            guard buffer.readableBytes >= FrameLimit.header else { return nil }
            buffer.moveReaderIndex(forwardBy: 4)
            guard let kind: UInt8 = buffer.readInteger() else { return nil }
            switch judge(kind, length - 1) {
            case .take(let rank): place = .payload(kind: kind, length: length - 1, rank)
            case .refuse(let offence): place = .skipping(kind: kind, left: length - 1, offence)
            }
        }
        switch place {
        case .header: return nil
        case .payload(let kind, let length, let rank):
            guard let payload = buffer.readBytes(length: length) else { return nil }
            finish()
            return .frame(Frame(kind: kind, payload: payload), rank)
        case .skipping(let kind, let left, let offence):
            let skipped = min(left, buffer.readableBytes)
            buffer.moveReaderIndex(forwardBy: skipped)
            guard skipped == left else {
                place = .skipping(kind: kind, left: left - skipped, offence)
                buffer = ByteBuffer()
                return nil
            }
            finish()
            return .refused(kind: kind, offence)
        }
    }

    private mutating func finish() {
        place = .header
        // The space of a large frame is not kept for the small ones that follow.
        if buffer.readableBytes == 0 { buffer = ByteBuffer() }
    }
}
