import Foundation
import Synchronization

/// One kept-alive HTTP/1.1 connection to a node, over which submissions are pipelined: a blocking socket, and a thread
/// that reads the answers. It costs so little because it knows the one request that it sends; a general client takes
/// as much of the machine as a node does, and measures itself.
final class Connection: Sendable {
    private let socket: Int32
    private let onRefusal: @Sendable (String) -> Void

    /// - Parameter onRefusal: called with each answer that is no acceptance, and when the connection breaks.
    init(port: Int, onRefusal: @escaping @Sendable (String) -> Void) throws {
        self.onRefusal = onRefusal
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard socket >= 0, result == 0 else {
            throw ConnectionError(description: "no connection to 127.0.0.1:\(port): \(String(cString: strerror(errno)))")
        }
        let reader = Thread { [socket, onRefusal] in AnswerReader(onRefusal: onRefusal).run(socket) }
        reader.start()
    }

    /// Sends one submission; blocks while the node does not take it.
    func send(_ body: [UInt8]) {
        let head = "POST /v1/transactions HTTP/1.1\r\nhost: node\r\ncontent-type: application/octet-stream\r\n"
            + "content-length: \(body.count)\r\n\r\n"
        let bytes = Array(head.utf8) + body
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return onRefusal("the connection broke: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    /// Ends the connection, and with it the reader's thread.
    func close() { shutdown(socket, Int32(SHUT_RDWR)) }
}

struct ConnectionError: Error, CustomStringConvertible {
    let description: String
}

/// Splits the bytes of a connection into answers. Knows as much of HTTP as the node's API uses: a status line, and
/// bodies with a Content-Length.
private struct AnswerReader {
    let onRefusal: @Sendable (String) -> Void
    private var pending: [UInt8] = []

    init(onRefusal: @escaping @Sendable (String) -> Void) { self.onRefusal = onRefusal }

    /// Reads until the connection ends, then closes the socket.
    consuming func run(_ socket: Int32) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = chunk.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { break }
            pending += chunk[..<count]
            while let end = takeAnswer() { pending.removeFirst(end) }
        }
        Foundation.close(socket)
    }

    /// - Returns: the length of the first answer, once all of it is there.
    private func takeAnswer() -> Int? {
        let separator: [UInt8] = [13, 10, 13, 10]
        guard let headEnd = pending.indices.dropLast(3).first(where: { pending[$0] == 13 && pending[$0..<$0 + 4].elementsEqual(separator) })
        else { return nil }
        let lines = String(decoding: pending[..<headEnd], as: UTF8.self).split(separator: "\r\n")
        let length = lines.dropFirst().compactMap { line -> Int? in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "content-length" else { return nil }
            return Int(parts[1].trimmingCharacters(in: .whitespaces))
        }.first ?? 0
        let end = headEnd + 4 + length
        guard pending.count >= end else { return nil }
        if let status = lines.first, !status.hasPrefix("HTTP/1.1 2") {
            onRefusal("\(status): \(String(decoding: pending[headEnd + 4..<end], as: UTF8.self))")
        }
        return end
    }
}

/// Blocking work on a thread of its own.
enum Background {
    static func run(_ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let thread = Thread {
                body()
                continuation.resume()
            }
            thread.start()
        }
    }
}
