/// What all programs say of themselves.
public enum Product {
    /// The one version of every program and of the node; `CHANGELOG.md` says what came with it.
    public static let version = "0.2.0"
}
