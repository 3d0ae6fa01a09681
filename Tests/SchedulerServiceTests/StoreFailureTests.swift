import Checksum
import Foundation
import Logging
import NIOCore
import NIOPosix
import ProtoMessages
import ProtoRPC
import SchedulerCore
import SchedulerStores
import StoresTestSupport
import Testing
@testable import SchedulerService

/// A failed sync is fatal for the store (T-06): the caller is told, and the scheduler ends.
@Suite(.timeLimit(.minutes(2)))
struct StoreFailureTests {
    /// What became of an upload, and of the scheduler that took it.
    private struct Result {
        var upload: Swift.Result<File, RPCError>
        var end: (any Error)?
    }

    @Test("T-06 whichever sync of an upload fails, the caller gets UNAVAILABLE and the scheduler ends")
    func everySync() async throws {
        var failures = 0
        for failing in 1... {
            let call = FailingCall(failing)
            let result: Result
            do {
                result = try await Self.upload(on: call)
            } catch let error as FileError where error.isFatal {
                // It did not even start.
                continue
            }
            guard call.hasFailed else {
                #expect(throws: Never.self) { try result.upload.get() }
                break
            }
            failures += 1
            #expect((result.end as? FileError)?.isFatal == true, "sync \(failing): \(String(describing: result.end))")
            guard case .failure(let error) = result.upload else {
                Issue.record("sync \(failing): the upload was acknowledged")
                continue
            }
            #expect(error.code == .unavailable)
        }
        // The staging directory, the blob's and the plan's directories, bytes and names.
        #expect(failures >= 6)
    }

    @Test("T-05 T-06 a sync that finds no room does not end the scheduler, and is not taken for done the next time")
    func noRoom() async throws {
        var refusals = 0
        for failing in 1...40 {
            let call = FailingCall(failing, code: ENOSPC)
            guard let result = try? await Self.upload(on: call), call.hasFailed else { continue }
            #expect(result.end == nil)
            // A directory is synced again by whoever comes next; the bytes of this upload are not written again.
            guard call.failed.contains("upload_") else { continue }
            refusals += 1
            guard case .failure(let error) = result.upload else {
                Issue.record("sync \(failing): the upload was acknowledged without its bytes")
                continue
            }
            #expect(error.code == .failedPrecondition)
        }
        // The plan's bytes and the file's, each with its checksums.
        #expect(refusals == 4)
    }

    @Test("T-06 once a sync has failed nothing is written and nothing counts, whoever asks")
    func nothingAfterwards() async throws {
        let failures = StoreFailures(logger: Self.logger)
        let threads = WatchedThreads(threads: NIOThreadPool.singleton, failures: failures)
        let lost = FileError("fdatasync", path: "a", code: EIO)
        await #expect(throws: lost) { try await threads.run { throw lost } }
        await #expect(throws: lost) { try await threads.run { 1 } }
    }

    @Test("T-06 only lost writes are fatal") func whatIsFatal() {
        #expect(FileError("fsync", path: "a", code: EIO).isFatal)
        #expect(!FileError("fsync", path: "a", code: ENOSPC).isFatal)
        #expect(FileError("fsync", path: "a", code: ENOSPC).hasLostWrites)
        #expect(!FileError("write", path: "a", code: EIO).isFatal)
        let failures = StoreFailures(logger: Self.logger)
        failures.report(FileError("write", path: "a", code: EIO))
        failures.report(StoreError.damaged("a page"))
        #expect(throws: Never.self) { try failures.check() }
        failures.report(StoreError.broken("a sync"))
        #expect(throws: StoreError.broken("a sync")) { try failures.check() }
    }

    // MARK: - One scheduler

    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Uploads one file to a scheduler, of whose files one call fails.
    private static func upload(on call: FailingCall) async throws -> Result {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("failing-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let platform = Platform(
            files: call.files,
            threads: NIOThreadPool.singleton,
            commitThreads: NIOThreadPool.singleton,
            time: .system,
            random: { UInt64.random(in: .min ... .max) },
            endsGracefully: false
        )
        let store = MemoryMetadataStore(clock: try LeaseClock.system())
        let node = try await SchedulerNode(
            SchedulerNode.Parts(store: store, dataDirectory: directory, engines: [], platform: platform),
            configuration: SchedulerConfiguration(dataDirectory: directory),
            logger: self.logger
        )
        return await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask {
                do {
                    try await SchedulerNode.runTogether(node.services)
                    return nil
                } catch {
                    return error
                }
            }
            let upload = await self.upload(to: node)
            let failed =
                call.hasFailed && { if case .failure(let e) = upload { e.info == "store_failed" } else { false } }()
            if !failed { group.cancelAll() }
            let end = await group.next() ?? nil
            return Result(upload: upload, end: end is CancellationError ? nil : end)
        }
    }

    private static func upload(to node: SchedulerNode) async -> Swift.Result<File, RPCError> {
        do throws(RPCError) {
            let begin = BeginUploadRequest(purpose: "batch")
            let upload = try await node.call(FilesService.beginUpload, begin)
            let line = #"{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"a"}}"#
            let data = ByteBuffer(string: line)
            let chunk = WriteChunkRequest(
                uploadID: upload.uploadID,
                offset: 0,
                data: data,
                crc32c: data.withUnsafeReadableBytes { CRC32C.checksum($0) }
            )
            _ = try await node.call(FilesService.writeChunk, chunk)
            let complete = CompleteUploadRequest(
                uploadID: upload.uploadID,
                filename: "a",
                purpose: "batch",
                bytes: UInt64(data.readableBytes)
            )
            var result: Swift.Result<File, RPCError> = .failure(RPCError(code: .unknown, message: "not tried"))
            // The lease may not have begun, and a client repeats what failed.
            for _ in 0..<100 {
                do throws(RPCError) {
                    let response = try await node.call(FilesService.completeUpload, complete)
                    return .success(response.file ?? File())
                } catch {
                    result = .failure(error)
                    guard error.info == "lease_lost" || error.info == "no_space" else { break }
                }
                try? await Task.sleep(for: .milliseconds(20))
            }
            return result
        } catch {
            return .failure(error)
        }
    }
}

extension SchedulerNode {
    fileprivate func call<Request, Response>(
        _ method: RPCMethod<Request, Response>,
        _ request: Request
    ) async throws(RPCError) -> Response {
        do {
            return try await self.router.call(method, request, context: RPCContext(metadata: RPCMetadata([])))
        } catch {
            throw error as? RPCError ?? RPCError(code: .internal, message: "\(error)")
        }
    }
}

extension RPCError {
    /// The machine-readable reason.
    fileprivate var info: String {
        (self.details.first.flatMap { try? ErrorInfo(serialized: $0.value) } ?? ErrorInfo()).reason
    }
}
