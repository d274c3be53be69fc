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
    private let services: RouteServices

    init(
        responder: @escaping HTTPChannelHandler.Responder, configuration: HTTP1Channel.Configuration,
        connections: Connections, services: RouteServices
    ) {
        self.connections = connections
        self.services = services
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
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(ArrivalHandler(connections))
        }.flatMap { [base] in base.setup(channel: channel, logger: logger) }.flatMapThrowing {
            [services, connections] value in
            let pipeline = channel.pipeline.syncOperations
            // Behind what watches for idle connections and for the end of the server, which so know of all requests.
            try pipeline.addHandler(
                SubmissionHandler(services, connections),
                position: .after(try pipeline.handler(type: HTTPConnectionStateHandler.self)))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) {
            await base.handle(value: value, logger: logger)
        }
    }
}

/// Tells whose connection it is: known once it is active, and before anything of it is read.
private final class ArrivalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connections: Connections

    init(_ connections: Connections) { self.connections = connections }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { connections.identified(context.channel) }
    }

    func channelActive(context: ChannelHandlerContext) {
        connections.identified(context.channel)
        context.fireChannelActive()
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
