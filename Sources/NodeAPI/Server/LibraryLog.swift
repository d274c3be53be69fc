import Logging

/// What the HTTP library says of itself, for whoever debugs: it calls every clean stop an error, and has no words for
/// operators. What they must know the node says.
struct LibraryLog: LogHandler {
    let logger: Logger
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    static func under(_ logger: Logger) -> Logger {
        Logger(label: logger.label, factory: { _ in LibraryLog(logger: logger) })
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        logger.debug(event.message, metadata: event.metadata, source: event.source)
    }
}
