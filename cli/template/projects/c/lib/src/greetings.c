// A library: what its world exports, others can call.

#include <stdio.h>
#include <stdlib.h>

#include "library.h"

void exports_example_new_project_greetings_greet(library_string_t *name, library_string_t *greeting) {
    char *text;
    int length = asprintf(&text, "Hello, %.*s, from C!", (int)name->len, (const char *)name->ptr);
    library_string_free(name);
    if (length < 0) abort();
    // The string is handed on: the caller frees it.
    greeting->ptr = (uint8_t *)text;
    greeting->len = (size_t)length;
}
