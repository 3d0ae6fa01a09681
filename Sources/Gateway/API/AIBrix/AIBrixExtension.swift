import ProtoMessages

/// The object `aibrix` of `POST /v1/batches`, as clients of AIBrix send it in the SDK's `extra_body`.
///
/// Both shapes are read: that of AIBrix 0.8, with `runtime` and `resource_allocation`, and the one before, with
/// `planner_decision`. Every field is checked. What names things is kept and shown with the batch; what asks for engines
/// to be started, or for another way of sending, is refused for as long as there is nothing here that does it, so that
/// no client takes for granted what does not happen.
public enum AIBrixExtension {
    private static let keys = [
        "job_id", "model", "runtime", "resource_allocation", "planner_decision", "model_template", "profile", "client",
    ]
    /// The one kind of engines that there is: those that were there before.
    private static let externalTarget = "External"
    private static let otherTargets = ["Kubernetes", "KubernetesJob", "LambdaCloud", "RunPod", "noop"]

    /// Reads the object; nil when there is none.
    ///
    /// - Throws: 400, with `not_supported_yet` for what is well-formed and cannot be done.
    static func parse(_ json: JSON) throws(APIError) -> AibrixExtension? {
        guard json != .null else { return nil }
        let fields = try AIBrixFields(json, path: "aibrix", known: Self.keys)
        var result = AibrixExtension(shape: .runtime)
        result.jobID = try fields.text("job_id")
        result.model = try fields.text("model")
        result.runtimeTarget = try Self.runtimeTarget(fields)
        result.provisionID = try Self.provisionID(fields, in: "resource_allocation", ResourceFields.runtime)
        if fields["planner_decision"] != nil {
            for other in ["runtime", "resource_allocation"] where fields[other] != nil {
                throw .invalidValue(
                    "'aibrix' takes either 'planner_decision' or '\(other)', which are of two versions.",
                    param: "aibrix.planner_decision"
                )
            }
            result.shape = .plannerDecision
            result.provisionID = try Self.provisionID(fields, in: "planner_decision", ResourceFields.planner)
        }
        try Self.checkTemplate(fields)
        try Self.checkProfile(fields)
        try Self.checkClient(fields)
        return result
    }

    private static func runtimeTarget(_ fields: AIBrixFields) throws(APIError) -> String {
        guard let runtime = try fields.object("runtime", known: ["target", "options"]) else { return "" }
        let target = try runtime.requiredText("target")
        guard target == Self.externalTarget else {
            guard Self.otherTargets.contains(target) else {
                throw .invalidValue(
                    "'aibrix.runtime.target' must be '\(Self.externalTarget)'.",
                    param: "aibrix.runtime.target"
                )
            }
            throw .notSupportedYet(runtime.name("target"), "a driver that starts engines; 'External' is there")
        }
        if try runtime.anything("options")?.isEmpty == false {
            throw .notSupportedYet(runtime.name("options"), "a driver that reads them")
        }
        return target
    }

    private static func provisionID(
        _ fields: AIBrixFields,
        in name: String,
        _ resource: ResourceFields
    ) throws(APIError) -> String {
        let known = ["provision_id", "provision_resource_deadline", "resource_details"]
        guard let allocation = try fields.object(name, known: known) else { return "" }
        let id = try allocation.text("provision_id")
        let deadline = try allocation.integer("provision_resource_deadline", from: .min)
        let details = try allocation.objects("resource_details", known: resource.names)
        for detail in details { try resource.check(detail) }
        guard details.isEmpty else {
            throw .notSupportedYet(allocation.name("resource_details"), "a driver that starts engines")
        }
        // Nothing is reserved, so that nothing ends with the reservation.
        guard (deadline ?? 0) <= 0 else {
            throw .notSupportedYet(allocation.name("provision_resource_deadline"), "a driver that starts engines")
        }
        return id
    }

    private static func checkTemplate(_ fields: AIBrixFields) throws(APIError) {
        // `status` comes with templates that were read from somewhere, and says nothing about this batch.
        let known = ["name", "version", "spec", "overrides", "status"]
        guard let template = try fields.object("model_template", known: known) else { return }
        _ = try template.requiredText("name")
        _ = try template.text("version")
        for name in ["spec", "overrides"] { try template.anything(name) }
        throw .notSupportedYet(template.path, "a driver that starts engines")
    }

    private static func checkProfile(_ fields: AIBrixFields) throws(APIError) {
        guard let profile = try fields.object("profile", known: ["name", "spec", "overrides"]) else { return }
        _ = try profile.requiredText("name")
        for name in ["spec", "overrides"] { try profile.anything(name) }
        throw .notSupportedYet(profile.path, "profiles of batches")
    }

    private static func checkClient(_ fields: AIBrixFields) throws(APIError) {
        let known = [
            "max_concurrency", "request_timeout_seconds", "adaptive_concurrency", "adaptive_max_factor",
            "adaptive_healthy_window", "adaptive_additive_increase", "retry_policy",
        ]
        guard let client = try fields.object("client", known: known) else { return }
        try client.integer("max_concurrency", from: 1, to: 1_024)
        try client.number("request_timeout_seconds", from: 1)
        try client.flag("adaptive_concurrency")
        try client.number("adaptive_max_factor", from: 1)
        try client.integer("adaptive_healthy_window", from: 1)
        try client.integer("adaptive_additive_increase", from: 1)
        let retry = ["max_retries", "base_delay_seconds", "max_delay_seconds", "no_endpoint_max_retries"]
        if let policy = try client.object("retry_policy", known: retry) {
            for name in ["max_retries", "no_endpoint_max_retries"] { try policy.integer(name, from: 0) }
            for name in ["base_delay_seconds", "max_delay_seconds"] { try policy.number(name, from: 0) }
        }
        if let name = known.first(where: { client[$0] != nil }) {
            throw .notSupportedYet(client.name(name), "ways of sending that a batch chooses")
        }
    }
}

/// What an entry of `resource_details` has, in one of the two shapes.
private struct ResourceFields {
    var texts: [String]
    var count: String
    var required: String?

    static let runtime = ResourceFields(texts: ["endpoint_cluster", "gpu_type"], count: "replica")
    static let planner = ResourceFields(
        texts: ["resource_type", "endpoint_cluster", "gpu_type"],
        count: "worker_num",
        required: "resource_type"
    )

    var names: [String] { self.texts + [self.count] }

    func check(_ detail: AIBrixFields) throws(APIError) {
        if let required { _ = try detail.requiredText(required) }
        for name in self.texts { _ = try detail.text(name) }
        try detail.integer(self.count, from: 0)
    }
}

extension APIError {
    /// 400: the request is well-formed, and what it asks for does not exist yet.
    fileprivate static func notSupportedYet(_ name: String, _ what: String) -> APIError {
        .invalidRequest(
            "'\(name)' needs \(what), which there is not yet: leave it out, and the batch runs on the scheduler's engines.",
            param: name,
            code: "not_supported_yet"
        )
    }
}

extension JSON {
    /// The extension as the batch shows it, in the shape in which it came.
    static func aibrix(_ value: AibrixExtension) -> JSON {
        var members: [(String, JSON)] = []
        if !value.jobID.isEmpty { members.append(("job_id", .string(value.jobID))) }
        if !value.model.isEmpty { members.append(("model", .string(value.model))) }
        if !value.runtimeTarget.isEmpty {
            members.append(("runtime", .object([("target", .string(value.runtimeTarget))])))
        }
        if !value.provisionID.isEmpty {
            let name = value.shape == .plannerDecision ? "planner_decision" : "resource_allocation"
            members.append((name, .object([("provision_id", .string(value.provisionID))])))
        }
        return .object(members)
    }
}
