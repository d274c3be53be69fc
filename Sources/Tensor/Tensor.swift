/// # Tensor
///
/// Operators that give the same bits everywhere.
///
/// What a worker computes here goes on the chain as a digest, and an auditor on another machine must arrive at the
/// same digest. So each operator promises: **the same inputs give the same bits**, on any processor with IEEE 754
/// binary32 arithmetic, for any number of threads, in every build.
///
/// - Every output element is reduced in one fixed order, which its operator's documentation states. It depends on sizes
///   alone, never on the width of the vectors, the blocking or the number of threads.
/// - A product and a sum are two roundings. Nothing here is fused: Swift never contracts on its own, and the kernels in C
///   (`CTensorKernels`) forbid it.
/// - The kernels exist for 128-bit vectors, AVX2 and AVX-512; `InstructionSet` says which is in use, and a test holds
///   that all give the same bits.
/// - `exp` and `log` are this module's own (`Transcendental`), since those of C libraries differ in the last bit.
///   Division and square root are the ones of IEEE 754, which are exact to the last bit anywhere.
/// - Random numbers are counter-based (`Philox4x32`, `RandomStream`): a draw is a function of what it is for.
/// - Subnormals are kept. The bits of a NaN are the one thing that processors choose differently: callers refuse
///   values that are not finite (`FloatTensor.isFinite`) before they hash them.
///
/// Shapes may come from the network: each entry point checks them and throws a `TensorError`. Nothing traps.
/// `FloatTensor` is row-major; images are `[samples, channels, height, width]`. Between layers a batch lies in `Blocks` of
/// 16 samples, and operators take those: their callers have checked the sizes, which the operators assert.
