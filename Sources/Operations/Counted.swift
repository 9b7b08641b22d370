/// `1 bucket`, `2 buckets`: a number with its noun, for sentences.
public func counted(_ number: some BinaryInteger, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
}
