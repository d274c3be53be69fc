// Quicksort of n numbers: loads, stores, comparisons, branches that can't be predicted.
#include <stdint.h>

static int32_t numbers[1 << 17];

static void sort(int low, int high) {
    while (low < high) {
        int32_t pivot = numbers[(low + high) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (numbers[i] < pivot) i++;
            while (numbers[j] > pivot) j--;
            if (i <= j) {
                int32_t kept = numbers[i];
                numbers[i++] = numbers[j];
                numbers[j--] = kept;
            }
        }
        sort(low, j);
        low = i;
    }
}

__attribute__((export_name("run"))) int run(int n) {
    uint32_t state = 1;
    for (int i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        numbers[i] = (int32_t)state;
    }
    sort(0, n - 1);
    int32_t sum = 0;
    for (int i = 0; i < n; i++) sum = sum * 31 + numbers[i];
    return sum;
}
