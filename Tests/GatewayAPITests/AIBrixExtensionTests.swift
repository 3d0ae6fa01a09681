import GatewayAPI
import NIOCore
import ProtoMessages
import Testing

/// AIBrix's extension of a batch, in both of its shapes.
struct AIBrixExtensionTests {
    private func parse(_ aibrix: String) throws(APIError) -> AibrixExtension? {
        let body = """
            {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h", "aibrix": \(aibrix)}
            """
        return try CreateBatchBody.parse(ByteBuffer(string: body)).aibrix
    }

    private func error(_ aibrix: String) -> APIError? {
        do {
            _ = try self.parse(aibrix)
            return nil
        } catch {
            return error
        }
    }

    private func shown(_ aibrix: String) throws -> String {
        var batch = Batch(id: "batch_1")
        batch.aibrix = try self.parse(aibrix)
        let json = JSON(batch, now: 0)["aibrix"] ?? .null
        return String(buffer: json.encoded())
    }

    @Test(arguments: ["null", "{}"]) func nothingAsksForNothing(aibrix: String) throws {
        let value = try self.parse(aibrix)
        #expect(value == (aibrix == "null" ? nil : AibrixExtension(shape: .runtime)))
    }

    @Test(arguments: [
        #"{"job_id":"job-7","model":"qwen"}"#,
        #"{"job_id":"job-7","runtime":{"target":"External"},"resource_allocation":{"provision_id":"p-1"}}"#,
        #"{"job_id":"job-7","planner_decision":{"provision_id":"p-1"}}"#,
    ])
    func whatNamesThingsIsShownInTheShapeInWhichItCame(aibrix: String) throws {
        #expect(try self.shown(aibrix) == aibrix)
    }

    @Test func batchesWithoutTheExtensionDoNotShowIt() {
        #expect(JSON(Batch(id: "batch_1"), now: 0)["aibrix"] == nil)
    }

    @Test func emptyAndNullPartsAreAsThoseThatAreNotThere() throws {
        let aibrix = """
            {"job_id": null, "runtime": {"target": "External", "options": {}}, "client": {}, "profile": null,
             "resource_allocation": {"provision_resource_deadline": 0, "resource_details": []}}
            """
        #expect(try self.shown(aibrix) == #"{"runtime":{"target":"External"}}"#)
    }

    @Test(
        "what there is no driver for is refused by name",
        arguments: [
            (#"{"runtime": {"target": "Kubernetes"}}"#, "aibrix.runtime.target"),
            (#"{"runtime": {"target": "External", "options": {"host": "a"}}}"#, "aibrix.runtime.options"),
            (
                #"{"resource_allocation": {"resource_details": [{"gpu_type": "A10", "replica": 2}]}}"#,
                "aibrix.resource_allocation.resource_details"
            ),
            (
                #"{"resource_allocation": {"resource_details": {"replica": 2}}}"#,
                "aibrix.resource_allocation.resource_details"
            ),
            (
                #"{"resource_allocation": {"provision_resource_deadline": 1800000000}}"#,
                "aibrix.resource_allocation.provision_resource_deadline"
            ),
            (
                #"{"planner_decision": {"resource_details": [{"resource_type": "deployment", "worker_num": 1}]}}"#,
                "aibrix.planner_decision.resource_details"
            ),
            (#"{"model_template": {"name": "a", "version": "v1", "status": "active"}}"#, "aibrix.model_template"),
            (#"{"profile": {"name": "a", "overrides": {}}}"#, "aibrix.profile"),
            (#"{"client": {"max_concurrency": 5}}"#, "aibrix.client.max_concurrency"),
            (
                #"{"client": {"retry_policy": {"max_retries": 0, "base_delay_seconds": 0.5}}}"#,
                "aibrix.client.retry_policy"
            ),
        ]
    )
    func drivers(aibrix: String, param: String) {
        let error = self.error(aibrix)
        #expect(error?.status == 400)
        #expect(error?.code == "not_supported_yet")
        #expect(error?.param == param)
    }

    @Test(
        "what is wrong is told first",
        arguments: [
            (#""a""#, "aibrix", "invalid_type"), (#"{"jobid": "a"}"#, "jobid", "unknown_parameter"),
            (#"{"job_id": 1}"#, "aibrix.job_id", "invalid_type"),
            (#"{"job_id": ""}"#, "aibrix.job_id", "invalid_value"),
            (#"{"runtime": {}}"#, "aibrix.runtime.target", "missing_required_parameter"),
            (#"{"runtime": {"target": "Mars"}}"#, "aibrix.runtime.target", "invalid_value"),
            (#"{"runtime": {"target": "External", "zone": 1}}"#, "zone", "unknown_parameter"),
            (
                #"{"planner_decision": {}, "runtime": {"target": "External"}}"#, "aibrix.planner_decision",
                "invalid_value"
            ),
            (
                #"{"planner_decision": {"resource_details": [{"worker_num": 1}]}}"#,
                "aibrix.planner_decision.resource_details[0].resource_type", "missing_required_parameter"
            ),
            (
                #"{"planner_decision": {"resource_details": [{"resource_type": "a", "replica": 1}]}}"#, "replica",
                "unknown_parameter"
            ),
            (
                #"{"resource_allocation": {"resource_details": [{"replica": "2"}]}}"#,
                "aibrix.resource_allocation.resource_details[0].replica", "invalid_type"
            ),
            (#"{"model_template": {"version": "1"}}"#, "aibrix.model_template.name", "missing_required_parameter"),
            (#"{"client": {"max_concurrency": 1025}}"#, "aibrix.client.max_concurrency", "invalid_value"),
            (
                #"{"client": {"request_timeout_seconds": 0.5}}"#, "aibrix.client.request_timeout_seconds",
                "invalid_value"
            ),
            (#"{"client": {"adaptive_concurrency": 1}}"#, "aibrix.client.adaptive_concurrency", "invalid_type"),
            (
                #"{"client": {"retry_policy": {"max_retries": -1}}}"#, "aibrix.client.retry_policy.max_retries",
                "invalid_value"
            ),
        ]
    )
    func wrong(aibrix: String, param: String, code: String) {
        let error = self.error(aibrix)
        #expect(error?.code == code)
        #expect(error?.param == param)
    }
}
