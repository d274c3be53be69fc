import Foundation

/// A passphrase that does not print itself.
public struct Passphrase: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    public let text: String

    /// - Parameter source: where it came from, for the error.
    public init(_ text: String, source: String = "the caller") throws(KeyFileError) {
        guard !text.isEmpty else { throw .emptyPassphrase(source: source) }
        self.text = text
    }

    public var description: String { "passphrase (hidden)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Finds the passphrase: in the given file, in the file that `EDGEPROOF_PASSPHRASE_FILE` names, in
    /// `EDGEPROOF_PASSPHRASE`, or by asking on the terminal, in this order.
    ///
    /// - Parameters:
    ///   - purpose: completes "Passphrase for ..." on the terminal.
    ///   - confirm: asks twice, for a new key.
    public static func find(
        file: String? = nil, for purpose: String, confirm: Bool = false,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(KeyFileError) -> Passphrase {
        // Set to nothing, a variable is not set.
        let named = environment[KeyFiles.passphraseFileVariable].flatMap { $0.isEmpty ? nil : $0 }
        if let file = file ?? named { return try Passphrase(file: file) }
        if let text = environment[KeyFiles.passphraseVariable] {
            return try Passphrase(text, source: KeyFiles.passphraseVariable)
        }
        guard let terminal = Terminal() else { throw .noPassphrase }
        let first = try Passphrase(terminal.askHidden("Passphrase for \(purpose): "), source: "the terminal")
        if confirm {
            guard terminal.askHidden("Once more: ") == first.text else { throw .passphrasesDiffer }
        }
        return first
    }

    /// Reads the first line of a file that only its owner may read.
    public init(file path: String) throws(KeyFileError) {
        let bytes: [UInt8]
        do { bytes = try SecretFile.read(path) } catch .notFound { throw .noPassphraseFile(path: path) } catch {
            throw error
        }
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard let text = String(validating: line, as: UTF8.self) else {
            throw .damaged(path: path, detail: "the passphrase is not UTF-8")
        }
        try self.init(text, source: path)
    }
}

/// The terminal that the process was started from, whatever standard input and output are.
private final class Terminal {
    private let descriptor: Int32

    init?() {
        let opened = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard opened >= 0 else { return nil }
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// Asks for a line, with the echo off.
    func askHidden(_ prompt: String) -> String {
        var settings = termios()
        let known = tcgetattr(descriptor, &settings) == 0
        if known {
            var hidden = settings
            hidden.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(descriptor, TCSAFLUSH, &hidden)
        }
        show(prompt)
        defer {
            if known { tcsetattr(descriptor, TCSAFLUSH, &settings) }
            show("\n")
        }
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 4096, read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        return String(decoding: line, as: UTF8.self)
    }

    private func show(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }
}
