// Which set runs, and the rearrangements that need no arithmetic.
#include "CTensorKernels.h"

#pragma STDC FP_CONTRACT OFF

#define DECLARE(set)                                                                                            \
    void ept_##set##_product(const ept_product *);                                                              \
    void ept_##set##_correlation(const ept_correlation *);                                                      \
    void ept_##set##_sum_planes(const float *, ptrdiff_t, ptrdiff_t, ptrdiff_t, float *, int32_t, int32_t,      \
                                int32_t, int32_t);                                                              \
    void ept_##set##_reduce_lanes(const float *, float *, size_t);                                              \
    void ept_##set##_pool(const ept_windows *, ept_view, ept_view);                                             \
    void ept_##set##_pool_backward(const ept_windows *, ept_view, ept_view, ept_view, ept_view);                \
    void ept_##set##_winograd_input(const float *, ptrdiff_t, ptrdiff_t, int32_t, int32_t, int32_t, float *,    \
                                    ptrdiff_t, ptrdiff_t);                                                      \
    void ept_##set##_winograd_output(const float *, ptrdiff_t, ptrdiff_t, const float *, ept_view, int32_t,     \
                                     int32_t, int32_t, int32_t);                                                \
    void ept_##set##_outer(const ept_outer *);                                                                  \
    void ept_##set##_step(float *, float *, const float *, size_t, float, float);                               \
    void ept_##set##_rectify_backward(const float *, float *, size_t);

#if defined(__x86_64__)
DECLARE(scalar) DECLARE(avx2) DECLARE(avx512)

#define RUN(name, ...)                                                                                          \
    switch (set) {                                                                                              \
    case EPT_AVX512: ept_avx512_##name(__VA_ARGS__); break;                                                     \
    case EPT_AVX2: ept_avx2_##name(__VA_ARGS__); break;                                                         \
    default: ept_scalar_##name(__VA_ARGS__); break;                                                             \
    }

int ept_widest(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        return EPT_AVX512;
    return __builtin_cpu_supports("avx2") ? EPT_AVX2 : EPT_SCALAR;
}
#else
DECLARE(scalar)

#define RUN(name, ...) (void)set; ept_scalar_##name(__VA_ARGS__)

int ept_widest(void) { return EPT_SCALAR; }
#endif

void ept_run_product(int set, const ept_product *product) { RUN(product, product) }

void ept_run_correlation(int set, const ept_correlation *correlation) { RUN(correlation, correlation) }

void ept_sum_planes(int set, const float *gradient, ptrdiff_t plane, ptrdiff_t row, ptrdiff_t column, float *partial,
                    int32_t outputs, int32_t rows, int32_t columns, int32_t first) {
    RUN(sum_planes, gradient, plane, row, column, partial, outputs, rows, columns, first)
}

void ept_reduce_lanes(int set, const float *partial, float *result, size_t count) {
    RUN(reduce_lanes, partial, result, count)
}

void ept_pool(int set, const ept_windows *windows, ept_view input, ept_view pooled) {
    RUN(pool, windows, input, pooled)
}

void ept_pool_backward(int set, const ept_windows *windows, ept_view input, ept_view pooled, ept_view gradient,
                       ept_view target) {
    RUN(pool_backward, windows, input, pooled, gradient, target)
}

void ept_winograd_input(int set, const float *input, ptrdiff_t plane, ptrdiff_t row, int32_t channels,
                        int32_t tile_rows, int32_t tile_columns, float *result, ptrdiff_t place,
                        ptrdiff_t channel_stride) {
    RUN(winograd_input, input, plane, row, channels, tile_rows, tile_columns, result, place, channel_stride)
}

void ept_winograd_output(int set, const float *sums, ptrdiff_t place, ptrdiff_t output_stride, const float *bias,
                         ept_view output, int32_t outputs, int32_t tile_rows, int32_t tile_columns, int32_t rectify) {
    RUN(winograd_output, sums, place, output_stride, bias, output, outputs, tile_rows, tile_columns, rectify)
}

void ept_winograd_weights(const float *kernels, size_t count, float *result) {
    for (size_t k = 0; k < count; k++) {
        const float *g = kernels + 9 * k;
        float down[4][3];
        for (int j = 0; j < 3; j++) {
            const float ends = g[j] + g[6 + j];
            down[0][j] = g[j];
            down[1][j] = (ends + g[3 + j]) * 0.5f;
            down[2][j] = (ends - g[3 + j]) * 0.5f;
            down[3][j] = g[6 + j];
        }
        for (int i = 0; i < 4; i++) {
            const float ends = down[i][0] + down[i][2];
            result[(4 * i + 0) * count + k] = down[i][0];
            result[(4 * i + 1) * count + k] = (ends + down[i][1]) * 0.5f;
            result[(4 * i + 2) * count + k] = (ends - down[i][1]) * 0.5f;
            result[(4 * i + 3) * count + k] = down[i][2];
        }
    }
}

void ept_run_outer(int set, const ept_outer *outer) { RUN(outer, outer) }

void ept_step(int set, float *weights, float *velocity, const float *gradient, size_t count, float rate,
              float momentum) {
    RUN(step, weights, velocity, gradient, count, rate, momentum)
}

void ept_rectify_backward(int set, const float *output, float *gradient, size_t count) {
    RUN(rectify_backward, output, gradient, count)
}

typedef float quad __attribute__((vector_size(16)));
typedef float loose_quad __attribute__((vector_size(16), aligned(4)));

// Four rows of four floats, turned.
static inline void turn(const float *source, ptrdiff_t source_stride, float *target, ptrdiff_t target_stride) {
    const quad a = *(const loose_quad *)source, b = *(const loose_quad *)(source + source_stride);
    const quad c = *(const loose_quad *)(source + 2 * source_stride), d = *(const loose_quad *)(source + 3 * source_stride);
    const quad ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const quad cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(loose_quad *)target = __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5);
    *(loose_quad *)(target + target_stride) = __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7);
    *(loose_quad *)(target + 2 * target_stride) = __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5);
    *(loose_quad *)(target + 3 * target_stride) = __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7);
}

void ept_rows_to_block(const float *rows, ptrdiff_t row_stride, int32_t samples, int32_t features, float *block) {
    const int whole_samples = samples / 4 * 4, whole_features = features / 4 * 4;
    for (int n = 0; n < whole_samples; n += 4) {
        for (int f = 0; f < whole_features; f += 4) {
            turn(rows + n * row_stride + f, row_stride, block + (ptrdiff_t)f * EPT_LANES + n, EPT_LANES);
        }
        for (int f = whole_features; f < features; f++) {
            for (int i = n; i < n + 4; i++) block[(ptrdiff_t)f * EPT_LANES + i] = rows[i * row_stride + f];
        }
    }
    for (int f = 0; f < features && whole_samples < EPT_LANES; f++) {
        for (int n = whole_samples; n < EPT_LANES; n++) {
            block[(ptrdiff_t)f * EPT_LANES + n] = n < samples ? rows[n * row_stride + f] : 0;
        }
    }
}

void ept_block_to_rows(const float *block, int32_t samples, int32_t features, float *rows, ptrdiff_t row_stride) {
    const int whole_samples = samples / 4 * 4, whole_features = features / 4 * 4;
    for (int n = 0; n < samples; n += 4) {
        if (n < whole_samples) {
            for (int f = 0; f < whole_features; f += 4) {
                turn(block + (ptrdiff_t)f * EPT_LANES + n, EPT_LANES, rows + n * row_stride + f, row_stride);
            }
        }
        for (int i = n; i < n + 4 && i < samples; i++) {
            for (int f = n < whole_samples ? whole_features : 0; f < features; f++) {
                rows[i * row_stride + f] = block[(ptrdiff_t)f * EPT_LANES + i];
            }
        }
    }
}

void ept_block_to_panels(const float *block, int32_t features, int32_t first_sample, int32_t panel_samples,
                         float *panels) {
    const ptrdiff_t panel_size = (ptrdiff_t)panel_samples * EPT_PANEL;
    const int whole = features / 4 * 4, padded = (features + EPT_PANEL - 1) / EPT_PANEL * EPT_PANEL;
    for (int f = 0; f < padded; f += 4) {
        float *target = panels + f / EPT_PANEL * panel_size + (ptrdiff_t)first_sample * EPT_PANEL + f % EPT_PANEL;
        for (int n = 0; n < EPT_LANES; n += 4) {
            if (f < whole) {
                turn(block + (ptrdiff_t)f * EPT_LANES + n, EPT_LANES, target + n * EPT_PANEL, EPT_PANEL);
            } else {
                for (int i = 0; i < 4; i++) {
                    for (int l = 0; l < 4; l++) {
                        target[(n + l) * EPT_PANEL + i] =
                            f + i < features ? block[(ptrdiff_t)(f + i) * EPT_LANES + n + l] : 0;
                    }
                }
            }
        }
    }
}
