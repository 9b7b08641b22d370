/// The planted bugs.
extension Plant {
    public static let all: [Plant] = []
}
