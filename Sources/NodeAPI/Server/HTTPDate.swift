import Glibc
import Synchronization

/// The time in the form that HTTP takes (RFC 9110, section 5.6.7), made once a second.
package enum HTTPDate {
    private static let made = Mutex<(second: Int, text: String)>((.min, ""))

    static var now: String {
        let second = time(nil)
        return made.withLock { made in
            if made.second != second { made = (second, text(of: second)) }
            return made.text
        }
    }

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// - Parameter second: since 1970.
    package static func text(of second: Int) -> String {
        var (second, parts) = (second, tm())
        gmtime_r(&second, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (day, month) = (days[Int(parts.tm_wday) % days.count], months[Int(parts.tm_mon) % months.count])
        return
            "\(day), \(two(parts.tm_mday)) \(month) \(1900 + parts.tm_year) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}
