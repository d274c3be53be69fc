// The inner loops of `Tensor`, compiled once for each instruction set. `Tensor` checks sizes and owns the memory; here
// nothing is checked.
//
// Every function gives the same bits in every set: an output element is reduced in the one order that stands beside its
// declaration, each product and each sum is rounded on its own (nothing is contracted into a fused multiply-add), and
// vector lanes run across samples or across outputs.
//
// Activations lie in blocks of 16 samples: the 16 values of one feature are neighbours, so a block is
// `float [features][16]`. Strides count floats.
#ifndef EDGEPROOF_TENSOR_KERNELS_H
#define EDGEPROOF_TENSOR_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { EPT_LANES = 16, EPT_PANEL = 32 };

/// The instruction sets, narrowest first.
enum { EPT_SCALAR = 0, EPT_AVX2 = 1, EPT_AVX512 = 2 };

/// The widest set that this processor and its operating system have.
int ept_widest(void);

/// For all m, r, c and lanes: `y[m, r, c] = start + sum over k ascending of w[m, k] * x[r, c, k]`, with
/// `w[m, k] = weights[m * weights_row + k * weights_step]` and
/// `x[r, c, k] = input[r * input_row + c * input_column + offsets[k]]` (16 lanes). The start is `bias[m]`, or 0 without.
/// With `rectify`, what is not greater than 0 becomes +0 in the end.
typedef struct {
    const float *weights;
    ptrdiff_t weights_row, weights_step;
    const float *bias;
    const float *input;
    ptrdiff_t input_row, input_column;
    const int32_t *offsets;
    float *output;
    ptrdiff_t output_plane, output_row, output_column;
    int32_t outputs, depth, rows, columns;
    int32_t rectify;
} ept_product;

void ept_run_product(int set, const ept_product *product);

/// One block's part of the gradient of convolution weights, each lane for itself:
/// `partial[m, k] += sum over (r, c) ascending of dy[m, r, c] * x[r, c, k]`, with `x` as above and
/// `dy[m, r, c] = gradient[m * gradient_plane + r * gradient_row + c * gradient_column]`.
/// `partial` is `[outputs][depth][16]`; with `first` it starts at 0, whatever it holds.
typedef struct {
    const float *gradient;
    ptrdiff_t gradient_plane, gradient_row, gradient_column;
    const float *input;
    ptrdiff_t input_row, input_column;
    const int32_t *offsets;
    float *partial;
    int32_t outputs, depth, rows, columns;
    int32_t first;
} ept_correlation;

void ept_run_correlation(int set, const ept_correlation *correlation);

/// `partial[m] += sum over (r, c) ascending of dy[m, r, c]`, each lane for itself; `partial` is `[outputs][16]`.
void ept_sum_planes(int set, const float *gradient, ptrdiff_t plane, ptrdiff_t row, ptrdiff_t column, float *partial,
                    int32_t outputs, int32_t rows, int32_t columns, int32_t first);

/// `result[i]` is the sum of the 16 lanes of `partial[i]`: lanes 8 apart are added first, then 4, 2 and 1 apart.
void ept_reduce_lanes(int set, const float *partial, float *result, size_t count);

/// The gradient of a dense layer's weights, and what becomes of it.
///
/// `g[o, i] = sum over samples ascending, from 0, of dy[o, n] * x[n, i]`, with dy in blocks and x in panels:
/// `panels[i / 32][n][i % 32]`, where n counts the lanes of all blocks and missing columns and samples are 0.
/// The gradient is written to `result` if that is not null; else the parameters take a step along it (`ept_step`).
typedef struct {
    const float *gradient;
    ptrdiff_t gradient_block;
    const float *panels;
    int32_t blocks;
    /// Range of outputs.
    int32_t first_output, end_output;
    int32_t inputs;
    float *result;
    float *weights;
    float *velocity;
    float rate, momentum;
} ept_outer;

void ept_run_outer(int set, const ept_outer *outer);

/// `v = momentum * v + g; w = w - rate * v`, element by element; with no velocities `w = w - rate * g`.
void ept_step(int set, float *weights, float *velocity, const float *gradient, size_t count, float rate,
              float momentum);

/// `dx = y > 0 ? dy : 0` over `count` floats, in place.
void ept_rectify_backward(int set, const float *output, float *gradient, size_t count);

/// Where the 16 lanes of `[plane, row, column]` of one block are: `base + plane * p + row * r + column * c`.
typedef struct {
    float *base;
    ptrdiff_t plane, row, column;
} ept_view;

/// Windows of `window_height x window_width` inputs, taken in row-major order. Sizes are those of the pooled side.
typedef struct {
    int32_t planes, rows, columns;
    int32_t window_height, window_width, stride_height, stride_width;
    /// Averages are the sum times this.
    float scale;
    int32_t is_maximum;
    /// On the way back: no two windows share an input, so gradients are stored and not added.
    int32_t is_disjoint;
    /// On the way back of a maximum: its inputs come from a rectifier, which the gradient passes too. (The winner is the
    /// pooled value, so the rectifier let it pass if that is greater than 0.)
    int32_t is_rectified;
} ept_windows;

void ept_pool(int set, const ept_windows *windows, ept_view input, ept_view pooled);

/// `target`, the gradient of the inputs, gets that of the pooled values, added to what it holds where windows overlap: a
/// maximum's goes to the first input of the window that equals it, an average's to all, times `scale`.
void ept_pool_backward(int set, const ept_windows *windows, ept_view input, ept_view pooled, ept_view gradient,
                       ept_view target);

// Winograd's convolution F(2 x 2, 3 x 3) (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015):
// 2 x 2 outputs from 4 x 4 inputs by 16 products for each pair of channels in the place of 36. Tiles are numbered row by
// row; the 16 places of a tile likewise.

/// `U[p][k] = G g[k] G^T` for `count` kernels of 3 x 3: down the columns, then along the rows, (g0, g1, g2) becomes
/// (g0, ((g0 + g2) + g1) / 2, ((g0 + g2) - g1) / 2, g2). `result` is `[16][count]`.
void ept_winograd_weights(const float *kernels, size_t count, float *result);

/// `V = B^T d B` for the 4 x 4 inputs d of each tile, two rows or columns apart: down the columns, then along the rows,
/// (d0, d1, d2, d3) becomes (d0 - d2, d1 + d2, d2 - d1, d1 - d3). Place p of channel c and tile t goes to
/// `result[p * place + c * channel_stride + 16 t]`.
void ept_winograd_input(int set, const float *input, ptrdiff_t plane, ptrdiff_t row, int32_t channels,
                        int32_t tile_rows, int32_t tile_columns, float *result, ptrdiff_t place,
                        ptrdiff_t channel_stride);

/// `y = A^T M A`, then the bias is added: down the columns, then along the rows, (m0, m1, m2, m3) becomes
/// ((m0 + m1) + m2, (m1 - m2) - m3). `sums` lie as the input's transforms do.
void ept_winograd_output(int set, const float *sums, ptrdiff_t place, ptrdiff_t output_stride, const float *bias,
                         ept_view output, int32_t outputs, int32_t tile_rows, int32_t tile_columns, int32_t rectify);

/// Between samples in rows (`[samples][features]`) and one block of at most 16 of them; missing samples are 0.
void ept_rows_to_block(const float *rows, ptrdiff_t row_stride, int32_t samples, int32_t features, float *block);
void ept_block_to_rows(const float *block, int32_t samples, int32_t features, float *rows, ptrdiff_t row_stride);

/// One block `[features][16]` into panels of 32 features: `panels[f / 32][first_sample + n][f % 32]` where each panel
/// has `panel_samples` rows. The missing columns of the last panel become 0.
void ept_block_to_panels(const float *block, int32_t features, int32_t first_sample, int32_t panel_samples,
                         float *panels);

#endif
