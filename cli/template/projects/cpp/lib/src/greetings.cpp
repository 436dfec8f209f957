// A library: what its world exports, others can call.

#include <string>

#include "library.h"

static std::string greeting_for(const std::string &name) {
    return "Hello, " + name + ", from C++!";
}

void exports_example_new_project_greetings_greet(library_string_t *name, library_string_t *greeting) {
    std::string text = greeting_for({reinterpret_cast<char *>(name->ptr), name->len});
    library_string_free(name);
    // The copy is handed on: the caller frees it.
    library_string_dup_n(greeting, text.data(), text.size());
}
