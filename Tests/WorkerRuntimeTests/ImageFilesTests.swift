import Foundation
import Testing
import WorkerRuntime

@Suite struct ImageFilesTests {
    @Test func aFolderWithoutImagesIsNamedInTheError() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "images-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        do {
            _ = try ImageFiles.load(folder.path, part: .train)
            Issue.record("an empty folder gave images")
        } catch let error as WorkerError {
            #expect(error.description.contains(folder.path))
        }
    }
}
