/// A named place at which a debug build dies on request, as by `kill -9`.
///
/// `BACKFILL_FAIL_POINT=store.after_rename:3` dies when `store.after_rename` is reached for the third time, `any:17`
/// when a fail point of any name is reached for the 17th time. Release builds hold neither names nor code, and refuse
/// the variable.
public enum FailPoint {
    /// Dies here if that was asked for.
    @inlinable
    @inline(__always)
    public static func reach(_ name: @autoclosure () -> StaticString) {
        #if DEBUG
            FailPointRequest.ofProcess?.reach(name())
        #endif
    }
}
