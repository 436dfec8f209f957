// Implements wasi:cli/run by calling `main`. This is part of the bindings of a world that exports it. Both
// functions are weak, so that a program may define them itself: `exports_wasi_cli_run_run`, or a `main` without
// parameters, which the compiler names `__main_void`. A program without any `main` does not link.

#include <stdbool.h>
#include <stdlib.h>
#include <wasi/api.h>

int __main_argc_argv(int count, char **arguments);
void __wasm_call_dtors(void);

__attribute__((weak)) int __main_void(void) {
    __wasi_size_t count = 0, size = 0;
    if (__wasi_args_sizes_get(&count, &size) != 0) abort();
    char *text = malloc((size_t)size + 1);
    char **arguments = calloc((size_t)count + 1, sizeof(char *));
    if (text == NULL || arguments == NULL) abort();
    if (__wasi_args_get((uint8_t **)arguments, (uint8_t *)text) != 0) abort();
    return __main_argc_argv((int)count, arguments);
}

__attribute__((weak)) bool exports_wasi_cli_run_run(void) {
    int status = __main_void();
    // Runs the exit handlers and flushes what is still to be written.
    __wasm_call_dtors();
    return status == 0;
}
