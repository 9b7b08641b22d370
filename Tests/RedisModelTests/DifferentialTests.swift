import Testing
@Suite struct DifferentialTests {}
