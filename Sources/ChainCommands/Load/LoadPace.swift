/// When the transactions of one lane are due at a steady rate: lanes take turns, so that those of all together come evenly
/// however many lanes there are.
package struct LoadPace {
    /// Transactions a second, of all lanes.
    let rate: Int
    let lane: Int
    let lanes: Int

    package init(rate: Int, lane: Int, lanes: Int) {
        self.rate = rate
        self.lane = lane
        self.lanes = lanes
    }

    /// Microseconds from the start until the lane's transaction with this number is due; the first has number 0.
    package func dueAfter(_ number: Int) -> Int {
        let (scaled, overflow) = (number * lanes + lane).multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max : scaled / max(1, rate)
    }

    /// How many of the lane's are due once this time is over: those of which ``dueAfter(_:)`` says no more than it.
    package func count(after micros: Int) -> Int {
        let (scaled, overflow) = (max(0, micros) + 1).multipliedReportingOverflow(by: max(1, rate))
        guard !overflow else { return .max }
        // Of all lanes: each whose time times the rate is below this.
        let all = (scaled + 999_999) / 1_000_000
        return all <= lane ? 0 : (all - 1 - lane) / lanes + 1
    }
}
