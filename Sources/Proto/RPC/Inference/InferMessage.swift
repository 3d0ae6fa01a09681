package import ProtoMessages

/// What a message of an `Infer` stream holds, in either direction.
package enum InferContent<Head: Sendable & Equatable>: Sendable, Equatable {
    /// Says what the chunks belong to; first, once.
    case head(Head)
    /// A piece of the body.
    case chunk(InferChunk)
    /// Lets the peer send more chunks.
    case credit(Credit)
}

/// A message of an `Infer` stream.
package protocol InferMessage: ProtoMessage {
    /// The head of its direction.
    associatedtype Head: Sendable & Equatable

    /// What it holds; nil: something that a later version has added.
    var content: InferContent<Head>? { get }
    /// Makes a message.
    init(_ content: InferContent<Head>)
    /// Size of the body behind a head, if it tells.
    static func announcedBytes(_ head: Head) -> UInt64?
}

extension InferRequest: InferMessage {
    /// What it holds.
    package var content: InferContent<InferHead>? {
        switch self.part {
        case .head(let head): .head(head)
        case .chunk(let chunk): .chunk(chunk)
        case .credit(let credit): .credit(credit)
        case nil: nil
        }
    }

    /// Makes a message.
    package init(_ content: InferContent<InferHead>) {
        switch content {
        case .head(let head): self.init(part: .head(head))
        case .chunk(let chunk): self.init(part: .chunk(chunk))
        case .credit(let credit): self.init(part: .credit(credit))
        }
    }

    /// Size of the body, if the head tells.
    package static func announcedBytes(_ head: InferHead) -> UInt64? { head.contentBytes }
}

extension InferResponse: InferMessage {
    /// What it holds.
    package var content: InferContent<InferAnswerHead>? {
        switch self.part {
        case .head(let head): .head(head)
        case .chunk(let chunk): .chunk(chunk)
        case .credit(let credit): .credit(credit)
        case nil: nil
        }
    }

    /// Makes a message.
    package init(_ content: InferContent<InferAnswerHead>) {
        switch content {
        case .head(let head): self.init(part: .head(head))
        case .chunk(let chunk): self.init(part: .chunk(chunk))
        case .credit(let credit): self.init(part: .credit(credit))
        }
    }

    /// Size of the body, if the head tells.
    package static func announcedBytes(_: InferAnswerHead) -> UInt64? { nil }
}
