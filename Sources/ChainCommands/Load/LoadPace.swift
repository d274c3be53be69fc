import APIModel

/// When the transactions of one lane are due at a steady rate, and which of them one request takes: lanes take turns, so that
/// requests come evenly however many lanes there are.
package struct LoadPace {
    /// Transactions a second, of all lanes.
    let rate: Int
    let lane: Int
    let lanes: Int
    /// Transactions of one request, which are due one after the other: it leaves when the last of them is.
    let perRequest: Int

    package init(rate: Int, lane: Int, lanes: Int, perRequest: Int) {
        self.rate = rate
        self.lane = lane
        self.lanes = lanes
        self.perRequest = max(1, perRequest)
    }

    /// What comes due in 5 ms: as a program sends that collects for a moment what its users do.
    package static func perRequest(rate: Int) -> Int { min(max(1, rate / 200), SubmissionLimits.transactions) }

    /// Microseconds from the start until the lane's transaction with this number is due; the first has number 0.
    package func dueAfter(_ number: Int) -> Int {
        let (request, place) = number.quotientAndRemainder(dividingBy: perRequest)
        let (scaled, overflow) = ((request * lanes + lane) * perRequest + place).multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max : scaled / max(1, rate)
    }

    /// Microseconds from the start until the request leaves that has the transaction with this number.
    package func leavesAfter(_ number: Int) -> Int { dueAfter(number / perRequest * perRequest + perRequest - 1) }

    /// How many of the lane's have left once this time is over: those of which ``leavesAfter(_:)`` says no more than it.
    package func count(after micros: Int) -> Int {
        let (scaled, overflow) = (max(0, micros) + 1).multipliedReportingOverflow(by: max(1, rate))
        guard !overflow else { return .max }
        // Requests of all lanes: each whose last transaction's time times the rate is below this.
        let all = (scaled + 999_999) / 1_000_000 / perRequest
        return (all <= lane ? 0 : (all - 1 - lane) / lanes + 1) * perRequest
    }
}
