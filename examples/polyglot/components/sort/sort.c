// Sorts numbers.

#include <stdlib.h>

#include "sort.h"

static int compare(const void *left, const void *right) {
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

void exports_demo_sort_order_sort(sort_list_s32_t *numbers, sort_list_s32_t *sorted) {
    qsort(numbers->ptr, numbers->len, sizeof(int32_t), compare);
    // The list is handed on: the caller frees it.
    *sorted = *numbers;
}
