// The chain's host functions, as they are imported. Contracts use `Chain`, `Storage` and `Context`.

@_extern(wasm, module: "edgeproof", name: "context") @_extern(c)
func host_context(_ block: UnsafeMutableRawPointer)

@_extern(wasm, module: "edgeproof", name: "input") @_extern(c)
func host_input(_ destination: UnsafeMutableRawPointer, _ offset: Int32, _ length: Int32)

@_extern(wasm, module: "edgeproof", name: "storage_get") @_extern(c)
func host_storage_get(
    _ key: UnsafeRawPointer, _ keyLength: Int32, _ value: UnsafeMutableRawPointer, _ capacity: Int32
) -> Int32

@_extern(wasm, module: "edgeproof", name: "storage_set") @_extern(c)
func host_storage_set(
    _ key: UnsafeRawPointer, _ keyLength: Int32, _ value: UnsafeRawPointer, _ valueLength: Int32)

@_extern(wasm, module: "edgeproof", name: "storage_remove") @_extern(c)
func host_storage_remove(_ key: UnsafeRawPointer, _ keyLength: Int32)

@_extern(wasm, module: "edgeproof", name: "transfer") @_extern(c)
func host_transfer(_ account: UnsafeRawPointer, _ amount: UnsafeRawPointer) -> Int32

@_extern(wasm, module: "edgeproof", name: "emit") @_extern(c)
func host_emit(
    _ topic: UnsafeRawPointer, _ topicLength: Int32, _ data: UnsafeRawPointer, _ dataLength: Int32)

@_extern(wasm, module: "edgeproof", name: "verdict") @_extern(c)
func host_verdict(
    _ account: UnsafeRawPointer, _ role: Int32, _ kind: Int32, _ weight: Int64, _ post: UnsafeRawPointer,
    _ postLength: Int32
) -> Int32

@_extern(wasm, module: "edgeproof", name: "sha256") @_extern(c)
func host_sha256(_ bytes: UnsafeRawPointer, _ length: Int32, _ digest: UnsafeMutableRawPointer)

@_extern(wasm, module: "edgeproof", name: "ed25519_verify") @_extern(c)
func host_ed25519_verify(
    _ publicKey: UnsafeRawPointer, _ signature: UnsafeRawPointer, _ message: UnsafeRawPointer,
    _ messageLength: Int32
) -> Int32

@_extern(wasm, module: "edgeproof", name: "randomness") @_extern(c)
func host_randomness(_ digest: UnsafeMutableRawPointer)

@_extern(wasm, module: "edgeproof", name: "schedule") @_extern(c)
func host_schedule(
    _ time: Int64, _ entry: Int32, _ data: UnsafeRawPointer, _ dataLength: Int32
) -> Int64

@_extern(wasm, module: "edgeproof", name: "call") @_extern(c)
func host_call(
    _ service: UnsafeRawPointer, _ serviceLength: Int32, _ actionId: Int32, _ data: UnsafeRawPointer,
    _ dataLength: Int32, _ amount: UnsafeRawPointer, _ reply: UnsafeMutableRawPointer, _ capacity: Int32
) -> Int32

@_extern(wasm, module: "edgeproof", name: "return_data") @_extern(c)
func host_return_data(_ bytes: UnsafeRawPointer, _ length: Int32)

@_extern(wasm, module: "edgeproof", name: "fail") @_extern(c)
func host_fail(_ message: UnsafeRawPointer, _ length: Int32)

@_extern(wasm, module: "edgeproof", name: "log") @_extern(c)
func host_log(_ text: UnsafeRawPointer, _ length: Int32)
