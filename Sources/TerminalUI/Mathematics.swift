import Foundation

// The three functions of the C library that drawing needs, in one place.

func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }

func cubeRoot(_ value: Double) -> Double { cbrt(value) }
