/// Where the tasks of a method's calls run.
public enum RPCTaskPlace: Sendable, Hashable {
    /// On the threads that all tasks share.
    case threads
    /// On the event loop of the call's connection: for handlers that compute for microseconds between their suspensions,
    /// if they have any, since nothing else happens on the event loop meanwhile. The call spares the way to another
    /// thread and back. What a handler still does once its connection is gone it does on the threads.
    case eventLoop
}
