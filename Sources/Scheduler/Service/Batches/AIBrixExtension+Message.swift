import ProtoMessages
import ProtoRPC
import SchedulerCore

extension AIBrixExtension {
    /// Takes what a call brings; nil when it brings none.
    static func taken(from message: AibrixExtension?) throws(RPCError) -> AIBrixExtension? {
        guard let message else { return nil }
        let taken = AIBrixExtension(
            shape: message.shape.rawValue,
            jobID: message.jobID,
            model: message.model,
            runtimeTarget: message.runtimeTarget,
            provisionID: message.provisionID
        )
        guard let taken else {
            throw RPCErrors.invalid("aibrix", "Each text of 'aibrix' has at most \(Self.maximumTextBytes) bytes.")
        }
        return taken
    }
}

extension AibrixExtension {
    /// As callers see it.
    init(_ stored: AIBrixExtension) {
        self.init(
            shape: AibrixShape(rawValue: stored.shape),
            jobID: stored.jobID,
            model: stored.model,
            runtimeTarget: stored.runtimeTarget,
            provisionID: stored.provisionID
        )
    }
}
