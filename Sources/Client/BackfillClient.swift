// What an internal Swift service needs to speak to schedulers, in one import: `RPCClient` and its settings, the messages
// and methods of every service, `ByteBuffer`, the checksum of chunks, certificates, and what runs and logs them.
@_exported public import Checksum
@_exported public import Logging
@_exported public import NIOCore
@_exported public import ProtoMessages
@_exported public import ProtoRPC
@_exported public import ProtoTLS
@_exported public import ServiceLifecycle
