import SchedulerCore
import Testing

struct LeaseHolderTests {
    private var holder = LeaseHolder(terms: LeaseTerms())

    @Test("I-08 a lease is renewed in time; one that is not ends for its owner before it ends for the store")
    mutating func life() {
        #expect(self.holder.next(at: 0) == .begin)
        #expect(self.holder.activeUntil == 0 && self.holder.heldUntil == 0)
        self.holder.granted("x.1", askedAt: 100)
        #expect(self.holder.owner == "x.1")
        #expect(self.holder.activeUntil == 7_100 && self.holder.heldUntil == 10_100)
        #expect(self.holder.next(at: 3_099) == .wait)
        #expect(self.holder.next(at: 3_100) == .renew(owner: "x.1"))
        self.holder.granted("x.1", askedAt: 3_100)
        #expect(self.holder.next(at: 3_200) == .wait)
        // The store cannot be reached: asked again and again, until it is too late.
        #expect(self.holder.next(at: 6_100) == .renew(owner: "x.1"))
        #expect(self.holder.next(at: 10_099) == .renew(owner: "x.1"))
        #expect(self.holder.next(at: 10_100) == .stop)
        #expect(self.holder.activeUntil == 0 && self.holder.heldUntil == 0 && self.holder.owner == nil)
    }

    @Test("I-08 nothing is begun before what ran under the lost lease has stopped, and a late grant is too late")
    mutating func stopComesFirst() {
        self.holder.granted("x.1", askedAt: 0)
        self.holder.fenced()
        #expect(self.holder.next(at: 1) == .stop)
        self.holder.granted("x.1", askedAt: 1)
        #expect(self.holder.owner == nil)
        #expect(self.holder.next(at: 2) == .stop)
        self.holder.stopped()
        #expect(self.holder.next(at: 3) == .begin)
        self.holder.granted("x.2", askedAt: 3)
        #expect(self.holder.owner == "x.2")
    }

    @Test mutating func nothingIsDueBeforeTheNextRenewal() {
        #expect(self.holder.dueAt == nil)
        self.holder.granted("x.1", askedAt: 100)
        #expect(self.holder.dueAt == 3_100)
        self.holder.fenced()
        #expect(self.holder.dueAt == nil)
    }

    @Test func allTimesAreInProportionToTheLease() {
        #expect(LeaseTerms(lasting: .seconds(10)) == LeaseTerms())
        let terms = LeaseTerms(lasting: .seconds(60))
        #expect(terms.renewal == 18_000 && terms.activity == 42_000 && terms.look == 6_000)
    }

    @Test mutating func aGrantOfAnotherLeaseIsIgnored() {
        self.holder.granted("x.1", askedAt: 0)
        self.holder.granted("x.0", askedAt: 5_000)
        #expect(self.holder.owner == "x.1" && self.holder.activeUntil == 7_000)
    }
}

struct ClaimPlanTests {
    private func plan(_ claims: [String: String], others: Set<String> = ["y.1"]) -> ClaimPlan {
        ClaimPlan(ownership: Ownership(owners: others.union(["x.1"]), claims: claims), owner: "x.1")
    }

    @Test func aBatchIsClaimedWithItsPools() {
        var plan = self.plan([:])
        #expect(plan.keys(forBatch: "b", models: ["m", "n"], isServed: true) == ["batch/b", "pool/m", "pool/n"])
    }

    @Test func whatAnotherOneRunsIsLeftAlone() {
        var plan = self.plan(["batch/b": "y.1", "pool/m": "y.1", "batch/own": "x.1", "pool/n": "x.1"])
        #expect(plan.keys(forBatch: "b", models: [], isServed: true) == nil)
        #expect(plan.keys(forBatch: "c", models: ["m"], isServed: true) == nil)
        #expect(plan.keys(forBatch: "own", models: ["n"], isServed: true) == ["batch/own", "pool/n"])
    }

    @Test("S2 a batch over pools of two owners is not overtaken for ever by younger ones")
    func pooledBatchesKeepTheirTurn() {
        var plan = self.plan(["pool/m": "x.1", "pool/n": "y.1"])
        #expect(plan.keys(forBatch: "old", models: ["m", "n"], isServed: true) == nil)
        #expect(plan.keys(forBatch: "young", models: ["m"], isServed: true) == nil)
        #expect(plan.keys(forBatch: "other", models: ["o"], isServed: true) == ["batch/other", "pool/o"])
    }

    @Test func whatCannotBeServedHereIsLeftToOthersIfThereAreAny() {
        var shared = self.plan([:])
        #expect(shared.keys(forBatch: "b", models: ["m"], isServed: false) == nil)
        var alone = self.plan([:], others: [])
        #expect(alone.keys(forBatch: "b", models: ["m"], isServed: false) == ["batch/b", "pool/m"])
    }
}
