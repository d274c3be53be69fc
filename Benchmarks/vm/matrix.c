// Product of two n by n matrices of doubles.
static double a[160 * 160], b[160 * 160], c[160 * 160];

__attribute__((export_name("run"))) int run(int n) {
    for (int i = 0; i < n * n; i++) {
        a[i] = i % 7 + 0.5;
        b[i] = i % 11 - 0.25;
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int l = 0; l < n; l++) sum += a[i * n + l] * b[l * n + j];
            c[i * n + j] = sum;
        }
    double total = 0;
    for (int i = 0; i < n * n; i++) total += c[i] * (i % 3);
    return (int)total;
}
