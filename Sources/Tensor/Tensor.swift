// # Tensor: operators that give the same bits everywhere
//
// What a worker computes here goes on the chain as a digest, and an auditor on another machine must arrive at the
// same digest. So each operator promises: **the same inputs give the same bits**, on any processor with IEEE 754
// binary32 arithmetic, for any number of threads, in every build.
//
// - Every output element is reduced in one fixed order, which its documentation states. Vector lanes and threads run
//   across output elements, never along a reduction.
// - A product and a sum are two roundings. Nothing here is fused, and Swift never contracts on its own.
// - `exp` and `log` are this module's own (`Transcendental`), since those of C libraries differ in the last bit.
//   Division and square root are the ones of IEEE 754, which are exact to the last bit anywhere.
// - Random numbers are counter-based (`Philox4x32`, `RandomStream`): a draw is a function of what it is for.
// - Subnormals are kept. The bits of a NaN are the one thing that processors choose differently: callers refuse
//   values that are not finite (`FloatTensor.isFinite`) before they hash them.
//
// Shapes may come from the network: each entry point checks them and throws a `TensorError`. Nothing traps.
// Layouts are row-major; images are `[samples, channels, height, width]`.
