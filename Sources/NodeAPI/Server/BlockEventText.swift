import APIModel
import Cryptography
import Hummingbird
import Primitives

/// A block's event as it goes over the wire: ``BlockEventDocument`` in JSON, written by hand. It is made for each block, and
/// an encoder takes ten times as long for its identifiers.
package enum BlockEventText {
    /// Whether it is made in next to no time.
    static func isShort(_ news: BlockNews) -> Bool { news.transactions.count <= 1_024 && news.events.isEmpty }

    static func event(_ height: Height, _ news: BlockNews) -> ByteBuffer {
        ByteBuffer(bytes: Array("id: \(height)\nevent: block\ndata: ".utf8) + json(height, news) + Array("\n\n".utf8))
    }

    /// The document's JSON, its keys in their order.
    package static func json(_ height: Height, _ news: BlockNews) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(192 + news.transactions.count * 67)
        text += "{\"digest\":\"".utf8
        append(news.digest, to: &text)
        text += "\",\"events\":".utf8
        if news.events.isEmpty {
            text += "[]".utf8
        } else {
            text += JSONAnswer.data(news.events.map { EventDocument($0) })
        }
        text += ",\"height\":\"\(height.value)\",\"time\":\"\(news.time.value)\",\"transactions\":[".utf8
        var isFirst = true
        for id in news.transactions {
            text += isFirst ? "\"".utf8 : ",\"".utf8
            isFirst = false
            append(id, to: &text)
            text.append(UInt8(ascii: "\""))
        }
        text += "]}".utf8
        return text
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func append(_ value: some Bytes32, to text: inout [UInt8]) {
        for byte in value.bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
    }
}
