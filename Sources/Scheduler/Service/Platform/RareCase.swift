/// Behaviour that is allowed but rare: small pages, and long waits between two steps.
///
/// Only the simulation asks for it, so that what can happen between two steps, or over several pages, happens often
/// (BUGGIFY, https://apple.github.io/foundationdb/testing.html). Elsewhere no case ever occurs.
package enum RareCase: String, CaseIterable, Sendable {
    /// Batches are looked through over small pages.
    case smallPagesOfBatches = "batches are claimed over small pages"
    /// Records are swept over small pages.
    case smallPagesOfSweeps = "records are swept over small pages"
    /// Between the bytes of a file and its record.
    case waitBeforeFileRecord = "a wait between bytes and record of a file"
    /// Between the claim of a batch and its run.
    case waitAfterClaim = "a wait between claim and run"
    /// Between the answers of a group and their commit.
    case waitBeforeCommit = "a wait before a commit"
    /// Between the last line and the output files.
    case waitBeforeOutput = "a wait before the output files"
    /// Between the output files and the end of the batch.
    case waitBeforeEnd = "a wait between output files and end"
    /// Between the look for what is needed and the removal of the rest.
    case waitBeforeRemoval = "a wait before bytes are removed"
    /// Between the end of a batch and the release of its claims.
    case waitBeforeRelease = "a wait before claims are released"
}

extension Platform {
    /// A page of the usual size, or of a few records.
    func pageSize(_ usual: Int, unless rareCase: RareCase) -> Int {
        self.occurs(rareCase) ? 2 : usual
    }

    /// Waits some seconds if the case occurs; returns early when the task is cancelled.
    func wait(if rareCase: RareCase) async {
        guard self.occurs(rareCase) else { return }
        try? await self.time.sleep(.milliseconds(Int64(self.randomFraction() * 15_000)))
    }
}
