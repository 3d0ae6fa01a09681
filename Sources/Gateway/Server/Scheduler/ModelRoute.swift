import ProtoMessages
import ProtoRPC

/// Where one online request goes, try after try: to a scheduler that has the model, and elsewhere when that one does not
/// take it.
struct ModelRoute: Sendable {
    /// Tries when one scheduler after the other did not accept the call.
    private static let maximumTries = 3

    /// The one scheduler for the next try; nil: any.
    private(set) var scheduler: RPCClient.Endpoint?
    private let model: String
    private let directory: ModelDirectory
    /// What follows from a failure.
    enum Consequence: Equatable {
        /// Another try, at `scheduler`.
        case goOn
        /// Look where the model is (`ModelDirectory.afterLook`), then ask `goesOnAfterLook`.
        case look
        case giveUp
    }

    private var tries = 1
    private var refused: Set<RPCClient.Endpoint> = []
    private var hasLookedAgain = false

    init(model: String, directory: ModelDirectory) {
        self.model = model
        self.directory = directory
        self.scheduler = directory.scheduler(for: model)
    }

    /// A try has failed.
    mutating func failed(_ error: RPCError) -> Consequence {
        // Where the choice was the client's, it has asked all of them for a method that some have not.
        let isUnknownEverywhere = error.code == .unimplemented && self.scheduler == nil
        if error.notSent, !isUnknownEverywhere, self.tries < Self.maximumTries {
            // A scheduler that stops has refused it; another may take it.
            self.tries += 1
            if let scheduler = self.scheduler { self.refused.insert(scheduler) }
            self.scheduler = self.directory.scheduler(for: self.model, besides: self.refused)
            return .goOn
        }
        guard error.code == .notFound, error.info.reason == "model_not_found", !self.hasLookedAgain,
            self.directory.isNeeded
        else { return .giveUp }
        self.hasLookedAgain = true
        return .look
    }

    /// The directory has looked. Whether there is another try.
    mutating func goesOnAfterLook() -> Bool {
        guard self.directory.has(self.model) else { return false }
        self.scheduler = self.directory.scheduler(for: self.model, besides: self.refused)
        return true
    }
}
