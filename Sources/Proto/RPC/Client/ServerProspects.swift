import NIOCore

/// How well a server would serve the next call, compared with others: the least is the best.
struct ServerProspects: Comparable {
    /// How long a server that answered UNAVAILABLE comes behind the others: without it, one that refuses all calls at
    /// once has the fewest in flight and gets the most.
    static let suspicion = TimeAmount.seconds(1)

    /// Whether it has failed this call already.
    var wasTried: Bool
    /// Whether it has just failed another.
    var isSuspect: Bool
    /// Whether its connection is on another event loop than the caller.
    var isElsewhere = false
    /// Its calls in flight.
    var load: Int

    /// Those of a server with both connections.
    func joined(with other: Self) -> Self {
        ServerProspects(
            wasTried: self.wasTried || other.wasTried,
            isSuspect: self.isSuspect || other.isSuspect,
            isElsewhere: self.isElsewhere && other.isElsewhere,
            load: self.load + other.load
        )
    }

    static func < (left: Self, right: Self) -> Bool {
        if left.wasTried != right.wasTried { return right.wasTried }
        if left.isSuspect != right.isSuspect { return right.isSuspect }
        if left.isElsewhere != right.isElsewhere { return right.isElsewhere }
        return left.load < right.load
    }
}
