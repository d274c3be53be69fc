import Foundation

/// The one part of LevelDB's sorted files that no checksum covers: the footer, with the places of two blocks.
///
/// LevelDB allocates what a footer says before it reads: a flipped bit there would end the process for lack of
/// memory. So footers are checked before a database is opened. (Format: leveldb's doc/table_format.md.)
enum TableFooter {
    private static let byteCount = 48
    private static let magic: [UInt8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]
    /// Compression type and checksum behind each block.
    private static let blockTrailer: UInt64 = 5

    /// Checks all sorted files of the database's folder.
    static func checkAll(in folder: String) throws(StorageError) {
        // A folder that is not there or cannot be read is LevelDB's to report.
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return }
        for name in names where name.hasSuffix(".ldb") || name.hasSuffix(".sst") {
            guard isSound(folder + "/" + name) else {
                throw .corrupt(path: folder, detail: "the footer of \(name) is damaged")
            }
        }
    }

    private static func isSound(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        // A crash while a file was written leaves a short one that no manifest names.
        guard size >= byteCount else { return true }
        var footer = [UInt8](repeating: 0, count: byteCount)
        let count = footer.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, size - off_t(byteCount)) }
        guard count == byteCount else { return false }
        // Without the magic LevelDB refuses it by itself, and an unfinished file has none.
        guard footer.suffix(magic.count) == magic[...] else { return true }
        var handles = footer.dropLast(magic.count)
        let space = UInt64(size) - UInt64(byteCount)
        for _ in 0..<2 {
            guard let offset = varint(&handles), let length = varint(&handles) else { return false }
            let (end, overflow) = offset.addingReportingOverflow(length)
            guard !overflow, end <= space, space - end >= blockTrailer else { return false }
        }
        return true
    }

    private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
