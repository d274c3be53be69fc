import Foundation
import Tensor
import Testing

/// The error in units of the last place of the correctly rounded result.
private func unitsOff(_ found: Float, _ exact: Double) -> Double {
    let rounded = Float(exact)
    guard found.isFinite, rounded.isFinite else { return found == rounded ? 0 : .infinity }
    return abs(Double(found) - exact) / Double(rounded.ulp)
}

@Suite(.timeLimit(.minutes(20))) struct TranscendentalTests {
    @Test func expIsWithinTwoUnits() {
        var worst = 0.0
        // Every 4,001st float between the two thresholds, both signs, subnormal results included.
        for pattern in stride(from: UInt32(0), through: Float(104).bitPattern, by: 4_001) {
            let magnitude = Float(bitPattern: pattern)
            worst = max(worst, unitsOff(Transcendental.exp(-magnitude), Foundation.exp(Double(-magnitude))))
            if magnitude < 88.7 {
                worst = max(worst, unitsOff(Transcendental.exp(magnitude), Foundation.exp(Double(magnitude))))
            }
        }
        #expect(worst <= 2)
    }

    @Test func logIsWithinTwoUnits() {
        var worst = 0.0
        for pattern in stride(from: UInt32(1), to: Float.infinity.bitPattern, by: 4_001) {
            let value = Float(bitPattern: pattern)
            worst = max(worst, unitsOff(Transcendental.log(value), Foundation.log(Double(value))))
        }
        for offset in -20_000...20_000 {
            let value = Float(bitPattern: UInt32(Int(Float(1).bitPattern) + offset))
            worst = max(worst, unitsOff(Transcendental.log(value), Foundation.log(Double(value))))
        }
        #expect(worst <= 2)
    }

    @Test func tanhAndSigmoidAreWithinFourUnits() {
        var worst = (tanh: 0.0, sigmoid: 0.0)
        for pattern in stride(from: UInt32(1), through: Float(80).bitPattern, by: 4_001) {
            let value = Float(bitPattern: pattern)
            worst.tanh = max(worst.tanh, unitsOff(Transcendental.tanh(value), Foundation.tanh(Double(value))))
            #expect(Transcendental.tanh(-value) == -Transcendental.tanh(value))
            for x in [value, -value] {
                worst.sigmoid = max(
                    worst.sigmoid, unitsOff(Transcendental.sigmoid(x), 1 / (1 + Foundation.exp(Double(-x)))))
            }
        }
        #expect(worst.tanh <= 4, "\(worst)")
        #expect(worst.sigmoid <= 4, "\(worst)")
    }

    @Test func specialValues() {
        #expect(Transcendental.tanh(0) == 0)
        #expect(Transcendental.tanh(.infinity) == 1)
        #expect(Transcendental.tanh(-.infinity) == -1)
        #expect(Transcendental.tanh(.nan).isNaN)
        #expect(Transcendental.sigmoid(-.infinity) == 0)
        #expect(Transcendental.sigmoid(.infinity) == 1)
        #expect(Transcendental.exp(0) == 1)
        #expect(Transcendental.exp(-.infinity) == 0)
        #expect(Transcendental.exp(.infinity) == .infinity)
        #expect(Transcendental.exp(88.73) == .infinity)
        #expect(Transcendental.exp(.nan).isNaN)
        #expect(Transcendental.log(1) == 0)
        #expect(Transcendental.log(0) == -.infinity)
        #expect(Transcendental.log(-0.0) == -.infinity)
        #expect(Transcendental.log(-1).isNaN)
        #expect(Transcendental.log(.infinity) == .infinity)
        #expect(Transcendental.log(.nan).isNaN)
    }
}
