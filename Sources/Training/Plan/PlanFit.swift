extension TrainingPlan {
    /// What of the plan split learning can't do; nil where nothing is.
    public var splitProblem: String? {
        if model.cut == nil { return "the model has no cut, which split learning needs" }
        // Accepted in silence, a budget would be a promise that nobody keeps.
        if privacy != nil {
            return "private gradients (clipNorm, noiseMultiplier, delta, epsilonBudget) are for fog jobs: in split learning the cloud sees boundary values in every step"
        }
        return nil
    }

    /// What of the plan split learning can't do with so many devices; nil where nothing is.
    public func splitProblem(devices: Int) -> String? {
        if let splitProblem { return splitProblem }
        // A device's samples are with one edge, and a weighted sum needs the same ones at all of them.
        if devices > 0, join == .weightedSum {
            return "devices, and a weighted sum, for which all edges need the same samples: join: concatenation takes devices"
        }
        return nil
    }

    /// What of the plan can't be done with so many workers, or when no more than a quorum of them are left; nil where
    /// nothing is.
    public func problem(workers: Int, quorum: Int, isAsynchronous: Bool = false) -> String? {
        guard case .secureSum(let threshold) = aggregation else { return nil }
        // Masks cancel only among those who make them together.
        if isAsynchronous { return "a secure sum, which its workers make together: it needs mode: synchronous" }
        guard Int(threshold) > workers / 2, Int(threshold) <= workers else {
            return "a secure sum of which \(threshold) of \(workers) workers must stay; it must be more than half of them"
        }
        guard quorum >= Int(threshold) else {
            return "a secure sum for which \(threshold) workers must stay, and a quorum of \(quorum): it must be no smaller"
        }
        return nil
    }
}
