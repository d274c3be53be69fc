/// # KeyFiles
///
/// Secret keys on disk: encrypted key files, folders of them, and where their passphrase comes from.
///
/// The module promises
/// - a secret reaches the disk only inside an encrypted `Keystore`, in a file of mode 0600;
/// - a file that others may read is refused, with the command that repairs it;
/// - a new key never replaces an old one;
/// - no error, description or log names a secret or a passphrase.
public enum KeyFiles {
    /// Holds the passphrase itself. Convenient in tests and containers; a file is safer.
    public static let passphraseVariable = "EDGEPROOF_PASSPHRASE"
    /// Names a file of mode 0600 or 0400 whose first line is the passphrase.
    public static let passphraseFileVariable = "EDGEPROOF_PASSPHRASE_FILE"
}

/// What is wrong with a key file, a folder of keys or a passphrase, and what to do.
public enum KeyFileError: Error, Equatable, CustomStringConvertible {
    case notFound(path: String)
    case noPassphraseFile(path: String)
    case exists(path: String)
    case othersMayRead(path: String, mode: UInt32)
    case notAFile(path: String)
    case tooLong(path: String, limit: Int)
    case damaged(path: String, detail: String)
    case wrongPassphrase(path: String)
    case wrongPurpose(path: String, found: String, expected: String)
    case invalidName(String)
    case noPassphrase
    case emptyPassphrase(source: String)
    case passphrasesDiffer
    case inputOutput(path: String, detail: String)

    public var description: String {
        switch self {
        case .notFound(let path):
            "there is no key file at \(path). Make one with 'chain-cli keys new NAME', or check the path"
        case .noPassphraseFile(let path):
            "there is no passphrase file at \(path): check the path in \(KeyFiles.passphraseFileVariable) or --passphrase-file"
        case .exists(let path): "\(path) exists already; a key is never replaced. Choose another name"
        case .othersMayRead(let path, let mode):
            "others may read \(path) (mode \(String(mode, radix: 8))). Run: chmod 600 '\(path)'"
        case .notAFile(let path): "\(path) is not a plain file"
        case .tooLong(let path, let limit): "\(path) has more than \(limit) bytes, so it is not what it should be"
        case .damaged(let path, let detail): "the key file \(path) cannot be used: \(detail). Restore it from a backup"
        case .wrongPassphrase(let path): "the passphrase does not open \(path), or the file was changed"
        case .wrongPurpose(let path, let found, let expected):
            "the key in \(path) is a key for '\(found)'; a key for '\(expected)' is needed here"
        case .invalidName(let name):
            "'\(name)' is not a key name: it takes 1 to 32 of the characters a-z, 0-9 and '-'"
        case .noPassphrase:
            "no passphrase: set \(KeyFiles.passphraseFileVariable) to a file of mode 600 that holds it, "
                + "set \(KeyFiles.passphraseVariable), or run this on a terminal"
        case .emptyPassphrase(let source): "the passphrase from \(source) is empty"
        case .passphrasesDiffer: "the two passphrases differ. Try again"
        case .inputOutput(let path, let detail): "cannot read or write \(path): \(detail)"
        }
    }
}
