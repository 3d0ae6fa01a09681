import CCurl
import Glibc

/// Dates as HTTP writes them (RFC 9110, 5.6.7), in any of their forms.
public enum HTTPDate {
    /// Seconds since 1970; nil when the text is no date.
    public static func unixSeconds(_ text: String) -> Int64? {
        let time = curl_getdate(text, nil)
        return time < 0 ? nil : Int64(time)
    }

    /// Seconds until then; negative for the past.
    public static func secondsUntil(_ text: String) -> Int64? {
        self.unixSeconds(text).map { $0 - Int64(time(nil)) }
    }
}
