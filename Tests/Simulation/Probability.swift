/// How often faults happen, for each time that they could.
enum Probability {
    static let crashAtFileOperation = 0.000_5
    static let stall = 0.000_15
    static let slowSync = 0.000_5
    static let failedSync = 0.000_2
    static let crashAtTransaction = 0.000_5
    static let storeFault = 0.002
    static let lostMessage = 0.01
    static let engineFault = 0.004
    static let poisonedLine = 0.002
}
