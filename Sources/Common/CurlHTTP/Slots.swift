/// Things by small numbers that are used again.
struct Slots<Element> {
    private var slots: [Element?] = []
    private var free: [Int] = []

    /// How many there are.
    var count: Int { self.slots.count - self.free.count }

    /// All there are.
    var all: [Element] { self.slots.compactMap(\.self) }

    /// The one of a number, if there is one.
    subscript(number: Int) -> Element? {
        self.slots.indices.contains(number) ? self.slots[number] : nil
    }

    /// Makes one with a number of its own.
    mutating func insert(_ make: (Int) -> Element) -> Element {
        let number = self.free.popLast() ?? self.slots.count
        let element = make(number)
        if number == self.slots.count { self.slots.append(element) } else { self.slots[number] = element }
        return element
    }

    /// Frees a number.
    mutating func remove(_ number: Int) {
        guard self[number] != nil else { return }
        self.slots[number] = nil
        self.free.append(number)
    }
}
