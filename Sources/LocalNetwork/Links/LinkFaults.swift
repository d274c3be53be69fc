/// What a link does to the bytes that pass it.
package struct LinkFaults: Sendable {
    /// Milliseconds that each piece of data is under way.
    package var delay: ClosedRange<Int>
    /// Of a hundred pieces, how many are lost the first time. Over TCP loss is a retransmission: the piece comes late,
    /// and all that follows it waits.
    package var lossPercent: Int

    package init(delay: ClosedRange<Int> = 0...0, lossPercent: Int = 0) {
        self.delay = delay
        self.lossPercent = lossPercent
    }

    package static let none = LinkFaults()
    static let retransmissionMs = 200...600
}
