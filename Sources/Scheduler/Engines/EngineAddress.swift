/// Where an engine is and, when it is told rather than asked, which model it serves: `[MODEL=]URL`.
public struct EngineAddress: Sendable, Hashable {
    /// Base URL without a trailing slash or `/v1`.
    public var url: String
    /// The model it serves; nil: ask its `/v1/models`.
    public var model: String?

    /// Makes an address.
    public init(url: String, model: String? = nil) {
        self.url = url
        self.model = model
    }

    /// Reads `[MODEL=]URL`; nil when there is no http or https URL in it.
    public init?(parsing text: String) {
        var model: String?
        var url = text
        for scheme in ["http://", "https://"] where !text.hasPrefix(scheme) {
            guard let separator = text.firstRange(of: "=" + scheme) else { continue }
            model = String(text[..<separator.lowerBound])
            url = String(text[text.index(after: separator.lowerBound)...])
            break
        }
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), model != "" else { return nil }
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        while url.hasSuffix("/") { url.removeLast() }
        if url.hasSuffix("/v1") { url.removeLast(3) }
        while url.hasSuffix("/") { url.removeLast() }
        guard let authority = url.firstRange(of: "://"), authority.upperBound < url.endIndex else { return nil }
        self.init(url: url, model: model)
    }
}
