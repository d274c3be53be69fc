import Foundation

/// Small pictures as SVG: lines, bars, and grids of pictures. Nothing in them depends on a clock or a locale.
public enum Chart {
    public struct Series: Sendable {
        public let name: String
        public let points: [(x: Double, y: Double)]

        public init(_ name: String, _ points: [(x: Double, y: Double)]) {
            self.name = name
            self.points = points
        }
    }

    private static let colours = [
        "#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#0a7ea4", "#bf3989", "#57606a", "#bc4c00", "#4d7c0f",
    ]

    /// Curves over a common axis.
    public static func lines(_ title: String, x: String, y: String, _ series: [Series]) -> String {
        let points = series.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
        let frame = Frame(
            xs: points.map(\.x), ys: points.map(\.y), legend: series.count, startsAtZero: false)
        var body = frame.axes(title: title, x: x, y: y)
        for (index, line) in series.enumerated() {
            let colour = colours[index % colours.count]
            let places = line.points.filter { $0.x.isFinite && $0.y.isFinite }
                .map { (x: number(frame.x($0.x)), y: number(frame.y($0.y))) }
            let path = places.map { "\($0.x),\($0.y)" }.joined(separator: " ")
            // A line of one point would not be seen.
            if places.count == 1 { body += "<circle fill=\"\(colour)\" r=\"3\" cx=\"\(places[0].x)\" cy=\"\(places[0].y)\"/>\n" }
            body += "<polyline fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\" points=\"\(path)\"/>\n"
            body += frame.legend(index, line.name, colour)
        }
        return frame.document(body)
    }

    /// Groups of bars, on a logarithmic axis if wanted.
    public static func bars(
        _ title: String, y: String, groups: [String], _ series: [(name: String, values: [Double])], logarithmic: Bool = false
    ) -> String {
        func scale(_ value: Double) -> Double { logarithmic ? log10(max(value, 1)) : value }
        let all = series.flatMap(\.values).filter(\.isFinite).map(scale)
        let frame = Frame(xs: [0, Double(groups.count)], ys: all + [0], legend: series.count, startsAtZero: true)
        var body = frame.axes(title: title, x: "", y: y, xTicks: false, logarithmic: logarithmic)
        let width = frame.plotWidth / Double(max(groups.count, 1))
        let bar = width * 0.8 / Double(max(series.count, 1))
        for (group, name) in groups.enumerated() {
            let left = frame.x(Double(group)) + width * 0.1
            for (index, line) in series.enumerated() where group < line.values.count && line.values[group].isFinite {
                let top = frame.y(scale(line.values[group]))
                body +=
                    "<rect x=\"\(number(left + Double(index) * bar))\" y=\"\(number(top))\" width=\"\(number(bar * 0.92))\" height=\"\(number(max(frame.y(0) - top, 0)))\" fill=\"\(colours[index % colours.count])\"><title>\(escaped(line.name)): \(text(line.values[group]))</title></rect>\n"
            }
            body +=
                "<text x=\"\(number(left + width * 0.4))\" y=\"\(number(frame.y(0) + 16))\" text-anchor=\"middle\">\(escaped(name))</text>\n"
        }
        for (index, line) in series.enumerated() { body += frame.legend(index, line.name, colours[index % colours.count]) }
        return frame.document(body)
    }

    /// Rows of pictures (PNG in base64), each with a name before it.
    public static func pictures(_ title: String, side: Int, rows: [(name: String, pictures: [String])]) -> String {
        let cell = side * 2 + 6
        let columns = rows.map(\.pictures.count).max() ?? 0
        var body = "<text x=\"10\" y=\"20\" font-weight=\"bold\">\(escaped(title))</text>\n"
        for (row, line) in rows.enumerated() {
            let top = 34 + row * cell
            body += "<text x=\"10\" y=\"\(top + cell / 2)\">\(escaped(line.name))</text>\n"
            for (column, picture) in line.pictures.enumerated() {
                body +=
                    "<image x=\"\(210 + column * cell)\" y=\"\(top)\" width=\"\(side * 2)\" height=\"\(side * 2)\" href=\"data:image/png;base64,\(picture)\"/>\n"
            }
        }
        return document(width: 220 + columns * cell, height: 44 + rows.count * cell, body)
    }

    static func number(_ value: Double) -> String { String(format: "%.1f", value) }
    static func text(_ value: Double) -> String {
        abs(value) >= 1_000 ? String(format: "%.0f", value) : String(format: "%.4g", value)
    }

    static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
    }

    private static func document(width: Int, height: Int, _ body: String) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" font-family="sans-serif" font-size="12">
        <rect width="\(width)" height="\(height)" fill="#fff"/>
        \(body)</svg>

        """
    }

    /// Where values lie on the paper.
    private struct Frame {
        let left = 64.0, top = 36.0, plotWidth = 520.0, plotHeight = 280.0
        let xRange: (Double, Double), yRange: (Double, Double)
        let rows: Int

        init(xs: [Double], ys: [Double], legend: Int, startsAtZero: Bool) {
            func range(_ values: [Double]) -> (Double, Double) {
                let (low, high) = (values.min() ?? 0, values.max() ?? 1)
                return high > low ? (low, high) : (low, low + 1)
            }
            xRange = range(xs)
            let y = range(ys)
            let margin = (y.1 - y.0) * 0.05
            yRange = (startsAtZero ? y.0 : y.0 - margin, y.1 + margin)
            rows = legend
        }

        func x(_ value: Double) -> Double { left + (value - xRange.0) / (xRange.1 - xRange.0) * plotWidth }
        func y(_ value: Double) -> Double { top + (yRange.1 - value) / (yRange.1 - yRange.0) * plotHeight }

        /// Round numbers within a range: about five, at multiples of 1, 2 or 5 times a power of ten.
        static func ticks(_ range: (Double, Double)) -> [Double] {
            let raw = (range.1 - range.0) / 4
            guard raw > 0, raw.isFinite else { return [range.0] }
            let power = pow(10, log10(raw).rounded(.down))
            let step = power * ([1, 2, 5].first { raw / power <= $0 * 1.5 } ?? 10)
            let (first, last) = ((range.0 / step).rounded(.up), (range.1 / step + 1e-9).rounded(.down))
            guard last - first < 20 else { return [range.0, range.1] }
            return stride(from: first, through: last, by: 1).map { $0 * step }
        }

        private var powers: [Double] { stride(from: 0, through: yRange.1.rounded(.down), by: 1).map { $0 } }

        func axes(
            title: String, x label: String, y yLabel: String, xTicks: Bool = true, logarithmic: Bool = false
        ) -> String {
            var body = "<text x=\"\(Int(left))\" y=\"22\" font-weight=\"bold\">\(escaped(title))</text>\n"
            let bottom = top + plotHeight
            for value in logarithmic ? powers : Self.ticks(yRange) {
                let place = number(y(value))
                body +=
                    "<line x1=\"\(Int(left))\" x2=\"\(Int(left + plotWidth))\" y1=\"\(place)\" y2=\"\(place)\" stroke=\"#ddd\"/><text x=\"\(Int(left - 6))\" y=\"\(place)\" text-anchor=\"end\">\(text(logarithmic ? pow(10, value) : value))</text>\n"
            }
            for value in xTicks ? Self.ticks(xRange) : [] {
                body +=
                    "<text x=\"\(number(x(value)))\" y=\"\(Int(bottom + 16))\" text-anchor=\"middle\">\(text(value))</text>\n"
            }
            body += "<text x=\"\(Int(left + plotWidth / 2))\" y=\"\(Int(bottom + 34))\" text-anchor=\"middle\">\(escaped(label))</text>\n"
            body +=
                "<text transform=\"translate(14 \(Int(top + plotHeight / 2))) rotate(-90)\" text-anchor=\"middle\">\(escaped(yLabel))</text>\n"
            return body
        }

        func legend(_ index: Int, _ name: String, _ colour: String) -> String {
            let y = Int(top) + 10 + index * 18
            let x = Int(left + plotWidth + 14)
            return
                "<rect x=\"\(x)\" y=\"\(y - 9)\" width=\"12\" height=\"10\" fill=\"\(colour)\"/><text x=\"\(x + 18)\" y=\"\(y)\">\(escaped(name))</text>\n"
        }

        func document(_ body: String) -> String {
            Chart.document(
                width: Int(left + plotWidth) + 250, height: max(Int(top + plotHeight) + 48, Int(top) + 24 + rows * 18), body)
        }
    }
}
