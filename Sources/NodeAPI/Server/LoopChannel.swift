import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// HTTP/1.1 whose requests are answered on the thread that reads them. On the shared thread pool each request would
/// wake a thread of its own, and that wake another one to write the answer: more work than a light request is.
/// Requests that read much do so on the node's queues in either case.
struct LoopChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let base: HTTP1Channel
    private let connections: Connections

    init(
        responder: @escaping HTTPChannelHandler.Responder, configuration: HTTP1Channel.Configuration,
        connections: Connections
    ) {
        self.connections = connections
        base = HTTP1Channel(
            responder: { request, writer, channel in
                guard let surplus = connections.surplus(channel), !Connections.isKept(request.uri.path) else {
                    return try await responder(request, writer, channel)
                }
                var body = try await writer.writeHead(surplus.head)
                try await body.write(surplus.body)
                try await body.finish(nil)
            }, configuration: configuration)
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        connections.opened(channel)
        return base.setup(channel: channel, logger: logger)
    }

    func handle(value: Value, logger: Logger) async {
        // Whose it is, is known once it is registered, which may be in a moment. Nobody knows of one that has ended already,
        // and whoever makes many of those is not looked for often.
        var looks = 0
        while value.channel.remoteAddress == nil, looks < 10 {
            try? await Task.sleep(for: .milliseconds(1 << looks))
            looks += 1
        }
        connections.identified(value.channel)
        await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) {
            await base.handle(value: value, logger: logger)
        }
    }
}

/// Runs tasks on an event loop, which has to outlive them: the loops of the process' shared group do.
private final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        loop.execute { job.runSynchronously(on: executor) }
    }
}
