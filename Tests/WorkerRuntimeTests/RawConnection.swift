import Foundation

/// A bare TCP connection to loopback, for what no HTTP client does.
final class RawConnection: @unchecked Sendable {
    private let descriptor: Int32

    struct Failed: Error {}

    init(port: Int) async throws {
        let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard made >= 0 else { throw Failed() }
        descriptor = made
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(made, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            Foundation.close(made)
            throw Failed()
        }
    }

    func close() { Foundation.close(descriptor) }

    /// Sends the text and no more.
    func say(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard send(descriptor, bytes, bytes.count, 0) == bytes.count else { throw Failed() }
    }

    /// Sends the text and gives what comes until the other side closes.
    static func ask(_ port: Int, _ text: String) async throws -> String {
        let connection = try await RawConnection(port: port)
        defer { connection.close() }
        return try await withCheckedThrowingContinuation { continuation in
            // Blocks, so on a thread of its own.
            Thread {
                let bytes = Array(text.utf8)
                guard send(connection.descriptor, bytes, bytes.count, 0) == bytes.count else {
                    return continuation.resume(throwing: Failed())
                }
                var answer: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 4_096)
                while true {
                    let count = recv(connection.descriptor, &buffer, buffer.count, 0)
                    guard count > 0 else { break }
                    answer += buffer[..<count]
                }
                continuation.resume(returning: String(decoding: answer, as: UTF8.self))
            }.start()
        }
    }
}
