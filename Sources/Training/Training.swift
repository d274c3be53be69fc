/// # Training
///
/// What workers compute and what they send each other.
///
/// Models, datasets, the split-learning round and the sealed envelope, all pure: bytes, events and times come in,
/// values and actions go out. Sockets, files, clocks and the chain are the caller's.
///
/// The module promises
///
/// - **The same bits everywhere.** A round is a function of the checkpoint before it, the job's seed, the shards and
///   the messages; batches are drawn by counter-based random numbers keyed by seed, round, edge and step. An auditor
///   who holds the inputs of a step gets the same digest (see `Tensor` for the arithmetic).
/// - **Split equals central.** With one edge, the split round gives the bits of training the whole network in one
///   place (`CentralisedTrainer`), which the tests hold it to.
/// - **No message can stop or poison the machine by its form.** Payloads decode under bounds; wrong shapes, labels
///   that are no digits, values that are not finite or out of all proportion are refused by name, and the sender is
///   then simply absent. What a well-formed lie does to the model is for validation and roll-back to undo.
/// - **Nobody can deny or divert an envelope.** One signature binds commitment, context, receiver and ciphertext.
