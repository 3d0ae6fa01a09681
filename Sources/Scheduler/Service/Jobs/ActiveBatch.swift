/// A batch that this scheduler has claimed.
struct ActiveBatch: Sendable {
    /// Its id.
    let id: String
    /// The lease it was claimed under.
    let owner: String
    /// What was claimed for it.
    let claims: [String]
    /// Short name inside this process.
    var number = 0
    /// While its lines run.
    var job: RunningJob?
    /// The models its lines name.
    var models: [String] = []
    /// Why it does not run at the moment, for people.
    var trouble: String?
    /// It stops where it is.
    var isAbandoned = false

    init(id: String, owner: String, claims: [String]) {
        self.id = id
        self.owner = owner
        self.claims = claims
    }
}
