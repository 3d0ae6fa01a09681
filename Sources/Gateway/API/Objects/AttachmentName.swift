/// The `Content-Disposition` of a download.
public enum AttachmentName {
    /// An attachment under the file's name: plain ASCII for old clients, the exact name as RFC 8187 has it for others.
    public static func contentDisposition(filename: String) -> String {
        let plain = filename.unicodeScalars.map { scalar -> String in
            switch scalar {
            case "\"", "\\", "/", "%": "_"
            case " "..."~": String(scalar)
            default: "_"
            }
        }
        return "attachment; filename=\"\(plain.joined())\"; filename*=UTF-8''\(PercentCoding.encode(filename))"
    }
}
