import GatewayAPI
import GatewayAccess
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1

/// Turns requests into answers: names and logs each, and words every failure as the API's error object.
struct GatewayResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    let handlers: GatewayHandlers
    let checks: RequestChecks
    let audit: AuditLog
    let accessLog: AccessLog

    func respond(to request: Request, context: Context) async -> Response {
        let start = ContinuousClock.now
        let requestID = RequestID.choose(request.headers[.requestID])
        let head = RequestHead(request)
        var response = await self.admit(head, request: request, requestID: requestID)
        response.headers[.requestID] = requestID
        response.headers[.processingMilliseconds] = String(Int((ContinuousClock.now - start) / .milliseconds(1)))
        // The answer to HEAD has no body, whatever its length says (RFC 9110, 9.3.2).
        if head.method == "HEAD" { response.body = ResponseBody() }
        response.body = self.logged(response, head: head, requestID: requestID, start: start)
        return response
    }

    private func admit(_ head: RequestHead, request: Request, requestID: String) async -> Response {
        let passed: RequestChecks.Passed
        do throws(APIError) {
            passed = try self.checks.check(head, Credentials(request.headers))
        } catch {
            return Response(error: error)
        }
        let (caller, route) = (passed.caller, passed.route)
        let trail = ChangeTrail()
        var response: Response
        if let refusal = passed.admission?.refusal {
            response = Response(error: refusal)
        } else {
            response = await self.answer(
                route,
                head,
                request: request,
                caller: caller,
                requestID: requestID,
                trail: trail
            )
        }
        // Now, and not when the answer is written, which does not happen when the client has gone away.
        if let change = (try? route.get())?.change {
            self.audit.write(
                AuditEntry(
                    caller: caller,
                    action: change.action,
                    objectID: trail.objectID ?? change.objectID,
                    method: head.method,
                    status: response.status.code,
                    requestID: requestID
                )
            )
        }
        passed.admission?.accompany(&response)
        return response
    }

    private func answer(
        _ route: Result<Route, APIError>,
        _ head: RequestHead,
        request: Request,
        caller: Caller,
        requestID: String,
        trail: ChangeTrail
    ) async -> Response {
        do {
            return try await self.handlers.answer(
                try route.get(),
                head: head,
                request: request,
                caller: caller,
                requestID: requestID,
                trail: trail
            )
        } catch let error as APIError {
            return Response(error: error)
        } catch let error as HTTPParserError {
            return Response(error: APIError(error))
        } catch is CancellationError {
            return Response(
                error: .unavailable("The service is stopping. Try again in a moment.", code: "service_unavailable")
            )
        } catch {
            self.accessLog.logger.error(
                "a request failed",
                metadata: ["error": "\(error)", "request_id": "\(requestID)"]
            )
            return Response(error: .internalError)
        }
    }

    /// The body, which logs the request when it is written or has failed.
    private func logged(
        _ response: Response,
        head: RequestHead,
        requestID: String,
        start: ContinuousClock.Instant
    ) -> ResponseBody {
        let body = response.body
        let length = body.contentLength
        return ResponseBody(contentLength: length) { writer in
            defer {
                self.accessLog.write(
                    method: head.method,
                    path: head.path,
                    status: response.status.code,
                    bytes: length ?? 0,
                    duration: .now - start,
                    requestID: requestID
                )
            }
            try await body.write(writer)
        }
    }
}

extension RequestHead {
    init(_ request: Request) {
        self.init(
            method: request.method.rawValue,
            target: request.head.path ?? "",
            contentLength: request.headers[.contentLength].flatMap(UInt64.init),
            contentType: request.headers[.contentType] ?? ""
        )
    }
}

extension Response {
    init(json: JSON, status: HTTPResponse.Status = .ok) {
        let body = json.encoded()
        self.init(
            status: status,
            headers: [.contentType: "application/json", .contentLength: String(body.readableBytes)],
            body: ResponseBody(byteBuffer: body)
        )
    }

    init(error: APIError) {
        self.init(json: error.json, status: HTTPResponse.Status(code: error.status))
        for (name, value) in error.headers {
            guard let name = HTTPField.Name(name) else { continue }
            self.headers[name] = value
        }
    }
}

extension RequestBody {
    /// The whole body.
    ///
    /// - Throws: 413 when it is longer than the limit.
    func collect(upTo limit: UInt64) async throws -> ByteBuffer {
        var collected = ByteBuffer()
        for try await bytes in self {
            guard UInt64(collected.readableBytes + bytes.readableBytes) <= limit else {
                throw APIError.tooLarge(
                    "The request body is too large: at most \(limit) bytes are allowed here.",
                    code: "request_too_large"
                )
            }
            collected.writeImmutableBuffer(bytes)
        }
        return collected
    }
}
