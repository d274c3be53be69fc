import Dispatch

/// Splits independent outputs over threads. The pieces write to disjoint memory and no reduction crosses a border, so
/// the number of threads can't change a bit of the result.
enum Parallel {
    /// Calls `body` for ranges that cover `0..<count` once; with one thread on the caller's own.
    static func forEachRange(of count: Int, threads: Int, _ body: @Sendable (Range<Int>) -> Void) {
        let pieces = max(1, min(threads, count))
        guard pieces > 1 else {
            body(0..<count)
            return
        }
        DispatchQueue.concurrentPerform(iterations: pieces) { piece in
            body(count * piece / pieces..<count * (piece + 1) / pieces)
        }
    }

    /// As many of the threads as have work for some tens of microseconds each: below, handing it over costs more.
    static func worthwhile(_ threads: Int, work: Int) -> Int { max(1, min(threads, work >> 17)) }
}
