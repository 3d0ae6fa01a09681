import Glibc
import Synchronization

/// The value of the `Date` header, made once a second (RFC 9110, section 6.6.1).
final class DateHeader: Sendable {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private let latest = Mutex((second: time_t.min, text: ""))

    /// The time now.
    var value: String {
        let second = time(nil)
        return self.latest.withLock { latest in
            if latest.second != second { latest = (second, Self.text(unixSeconds: second)) }
            return latest.text
        }
    }

    /// A time as HTTP writes it, such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
    static func text(unixSeconds: time_t) -> String {
        var (seconds, parts) = (unixSeconds, tm())
        gmtime_r(&seconds, &parts)
        let (day, month) = (Self.days[Int(parts.tm_wday)], Self.months[Int(parts.tm_mon)])
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map(Self.twoDigits).joined(separator: ":")
        return "\(day), \(Self.twoDigits(parts.tm_mday)) \(month) \(1_900 + parts.tm_year) \(clock) GMT"
    }

    private static func twoDigits(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
