public import DequeModule

/// Items of several owners, taken in turns: one item of each owner that has any, round and round.
///
/// A job of ten lines is therefore not held up by one of fifty thousand (I-14). Inlinable as `DispatchState` is.
public struct FairTurns<Owner: Hashable & Sendable, Item: Sendable>: Sendable {
    @usableFromInline var queues: [Owner: Deque<Item>] = [:]
    /// Owners with at least one item that are not parked, the next one first.
    @usableFromInline var turns: Deque<Owner> = []
    @usableFromInline var parked: Set<Owner>
    @usableFromInline var total = 0

    /// Nothing queued; `parked` are the owners that get no turns.
    @inlinable
    public init(parked: Set<Owner> = []) {
        self.parked = parked
    }

    /// Items of all owners.
    @inlinable
    public var count: Int { self.total }

    /// Whether an item can be taken.
    @inlinable
    public var hasNext: Bool { !self.turns.isEmpty }

    /// Gives an owner no turns; its items stay.
    public mutating func park(_ owner: Owner) {
        guard self.parked.insert(owner).inserted else { return }
        self.turns.removeAll { $0 == owner }
    }

    /// Gives a parked owner turns again.
    public mutating func unpark(_ owner: Owner) {
        guard self.parked.remove(owner) != nil, self.queues[owner] != nil else { return }
        self.turns.append(owner)
    }

    /// Items of one owner.
    public func count(of owner: Owner) -> Int {
        self.queues[owner]?.count ?? 0
    }

    /// Puts items behind the owner's others.
    @inlinable
    public mutating func append(_ items: some Sequence<Item>, for owner: Owner) {
        self.edit(owner) { $0.append(contentsOf: items) }
    }

    /// Puts an item before the owner's others: it was its turn already.
    @inlinable
    public mutating func prepend(_ item: Item, for owner: Owner) {
        self.edit(owner) { $0.prepend(item) }
    }

    /// Takes the next item; its owner goes to the end of the line.
    @inlinable
    public mutating func next() -> (owner: Owner, item: Item)? {
        guard let owner = self.turns.popFirst(), let index = self.queues.index(forKey: owner),
            let item = self.queues.values[index].popFirst()
        else { return nil }
        self.total -= 1
        if self.queues.values[index].isEmpty {
            self.queues.remove(at: index)
        } else {
            self.turns.append(owner)
        }
        return (owner, item)
    }

    /// Drops all items of an owner and gives them back.
    public mutating func remove(_ owner: Owner) -> [Item] {
        guard let items = self.queues.removeValue(forKey: owner) else { return [] }
        self.turns.removeAll { $0 == owner }
        self.total -= items.count
        return Array(items)
    }

    /// Drops items of an owner; whether there were any such.
    public mutating func remove(_ owner: Owner, where isMeant: (Item) -> Bool) -> Bool {
        let before = self.count
        guard self.queues[owner] != nil else { return false }
        self.edit(owner) { $0.removeAll(where: isMeant) }
        if self.queues[owner] == nil { self.turns.removeAll { $0 == owner } }
        return self.count < before
    }

    @inlinable
    mutating func edit(_ owner: Owner, _ change: (inout Deque<Item>) -> Void) {
        let (before, after) = Self.counts(of: &self.queues[owner, default: []], around: change)
        self.total += after - before
        if before == 0, after > 0 {
            if !self.parked.contains(owner) { self.turns.append(owner) }
        } else if after == 0 {
            self.queues[owner] = nil
        }
    }

    /// Items before and after a change.
    @inlinable
    static func counts(of queue: inout Deque<Item>, around change: (inout Deque<Item>) -> Void) -> (Int, Int) {
        let before = queue.count
        change(&queue)
        return (before, queue.count)
    }
}
