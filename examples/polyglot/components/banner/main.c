// Prints its arguments, or a greeting, in a frame.

#include <stdio.h>
#include <string.h>

static void rule(size_t width) {
    putchar('+');
    while (width-- > 0) putchar('-');
    puts("+");
}

int main(int count, char **arguments) {
    const char *text = count > 1 ? arguments[1] : "Hello from C!";
    rule(strlen(text) + 2);
    printf("| %s |\n", text);
    rule(strlen(text) + 2);
    return 0;
}
