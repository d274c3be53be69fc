import Foundation

/// Paths as people write them.
public enum FilePath {
    /// The home folder: what HOME says, as for a shell, else the system's list of users.
    public static func home(_ variable: String? = Environment.value("HOME")) -> String {
        variable ?? FileManager.default.homeDirectoryForCurrentUser.path
    }

    /// `~` and `~/...` lie in the home folder, wherever the shell left them as they are (`--home=~/node`).
    public static func expanded(_ path: String, home variable: String? = Environment.value("HOME")) -> String {
        guard path == "~" || path.hasPrefix("~/") else { return path }
        return home(variable) + path.dropFirst()
    }

    /// The folder of keys: the one that is named, else what EDGEPROOF_KEYS says, else the home folder's.
    public static func keys(_ named: String?) -> String {
        expanded(named ?? Environment.value("EDGEPROOF_KEYS") ?? "~/.edgeproof/keys")
    }
}
