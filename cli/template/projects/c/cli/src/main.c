// A program: wasi:cli/run calls main.

#include <stdio.h>

int main(void) {
    puts("Hello from C!");
    return 0;
}
