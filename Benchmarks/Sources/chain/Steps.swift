import Foundation

/// Time by step, in the order in which they first came: of the processors, and by the clock.
package struct Steps {
    private var names: [String] = []
    private var seconds: [String: Double] = [:]
    private var clock: [String: Double] = [:]

    package init() {}

    package mutating func measure<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
        let start = Self.processorSeconds
        let began = DispatchTime.now().uptimeNanoseconds
        let result = try body()
        if seconds[name] == nil { names.append(name) }
        clock[name, default: 0] += Double(DispatchTime.now().uptimeNanoseconds - began) / 1e9
        seconds[name, default: 0] += Self.processorSeconds - start
        return result
    }

    /// Microseconds of processor time of one step, or of all, for each transaction.
    package func processorMicros(_ name: String? = nil, transactions: Int) -> Double {
        (name.map { seconds[$0] ?? 0 } ?? seconds.values.reduce(0, +)) * 1e6 / Double(transactions)
    }

    /// The same by the clock.
    package func clockMicros(_ name: String? = nil, transactions: Int) -> Double {
        (name.map { clock[$0] ?? 0 } ?? clock.values.reduce(0, +)) * 1e6 / Double(transactions)
    }

    package func text(transactions: Int) -> String {
        let width = names.map(\.count).max() ?? 0
        func line(_ name: String, _ micros: Double) -> String {
            name.padding(toLength: width + 2, withPad: " ", startingAt: 0) + String(format: "%8.2f", micros)
        }
        return (names.map { line($0, processorMicros($0, transactions: transactions)) }
            + [line("sum", processorMicros(transactions: transactions))]).joined(separator: "\n")
    }

    /// Of this process, with the threads of the store.
    package static var processorSeconds: Double {
        var used = rusage()
        getrusage(RUSAGE_SELF.rawValue, &used)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(used.ru_utime) + seconds(used.ru_stime)
    }
}
