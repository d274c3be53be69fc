/// Finds what somebody who mistyped a name will have meant.
public enum Spelling {
    /// The known name that is nearest to `name`, if one is near: at most one letter in three is another one.
    public static func nearest(to name: String, among names: [String]) -> String? {
        // Somebody's megabyte is no slip of the finger.
        guard (1...64).contains(name.utf8.count) else { return nil }
        let typed = Array(name.lowercased())
        var best: (name: String, distance: Int)?
        for candidate in names {
            let known = Array(candidate.lowercased())
            let limit = max(1, max(typed.count, known.count) / 3)
            let distance = distance(typed, known)
            if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// " (did you mean 'port'?)", or nothing.
    public static func hint(for name: String, among names: [String]) -> String {
        nearest(to: name, among: names).map { " (did you mean '\($0)'?)" } ?? ""
    }

    /// Damerau-Levenshtein distance, with transpositions of neighbours (optimal string alignment).
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var before: [Int] = []
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var next = [i + 1]
            for (j, b) in right.enumerated() {
                var cost = min(row[j + 1] + 1, next[j] + 1, row[j] + (a == b ? 0 : 1))
                if i > 0, j > 0, a == right[j - 1], left[i - 1] == b { cost = min(cost, before[j - 1] + 1) }
                next.append(cost)
            }
            before = row
            row = next
        }
        return row.last ?? 0
    }
}
