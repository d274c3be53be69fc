import NodeCore
import StateSync
import Storage

/// # NodeHost
///
/// Runs one ``NodeMachine`` as a process: sockets, files, threads, clocks and the API around the pure core.
///
/// ``NodeRunner`` opens a home and keeps a node running in it; ``NodeService`` drives the machine. The module promises
/// - **one writer**: journal and store have a queue each, and what they finish comes back to the machine in order;
/// - **reads beside the node**: what the API and joining peers read comes from snapshots, never from the machine's queue;
/// - **a stop with a reason**: whatever keeps a node from going on ends it with a message that says what and where.
extension ChainStore: NodeStore {}
extension ChainSnapshot: SnapshotSource {}
