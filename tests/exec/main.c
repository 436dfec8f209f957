// A program that does what its first argument says, for the tests of `run exec`.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 3;
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "";
    const char *operand = argc > 2 ? argv[2] : "";
    if (!strcmp(verb, "args")) {
        for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
        putchar('\n');
    } else if (!strcmp(verb, "env")) {
        const char *value = getenv(operand);
        printf("%s\n", value ? value : "(unset)");
    } else if (!strcmp(verb, "cat")) {
        char buffer[4096];
        size_t count;
        while ((count = fread(buffer, 1, sizeof buffer, stdin)) > 0) fwrite(buffer, 1, count, stdout);
    } else if (!strcmp(verb, "exit")) {
        return atoi(operand);
    } else if (!strcmp(verb, "warn")) {
        fputs("to stderr\n", stderr);
    } else if (!strcmp(verb, "trap")) {
        fputs("about to trap\n", stderr);
        __builtin_trap();
    } else if (!strcmp(verb, "loop")) {
        for (volatile long i = 0;; i++) {}
    } else if (!strcmp(verb, "eat")) {
        for (;;) {
            char *more = malloc(1 << 20);
            if (!more) return fail("malloc");
            memset(more, 1, 1 << 20);
        }
    } else if (!strcmp(verb, "flood")) {
        for (long i = 0; i < atol(operand); i++) puts("0123456789012345678901234567890123456789");
    } else if (!strcmp(verb, "read")) {
        FILE *file = fopen(operand, "r");
        if (!file) return fail(operand);
        char line[256];
        fputs(fgets(line, sizeof line, file) ? line : "", stdout);
    } else if (!strcmp(verb, "write")) {
        FILE *file = fopen(operand, "w");
        if (!file) return fail(operand);
        fputs("written\n", file);
        if (fclose(file)) return fail(operand);
    } else if (!strcmp(verb, "time")) {
        printf("%ld\n", (long)time(NULL));
    } else if (!strcmp(verb, "sleep")) {
        struct timespec start, end, wait = {atoi(operand), 0};
        clock_gettime(CLOCK_MONOTONIC, &start);
        nanosleep(&wait, NULL);
        clock_gettime(CLOCK_MONOTONIC, &end);
        printf("%ld\n", (long)(end.tv_sec - start.tv_sec));
    } else if (!strcmp(verb, "random")) {
        unsigned char bytes[8];
        if (getentropy(bytes, sizeof bytes)) return fail("getentropy");
        for (int i = 0; i < 8; i++) printf("%02x", bytes[i]);
        putchar('\n');
    } else {
        fprintf(stderr, "unknown verb %s\n", verb);
        return 2;
    }
    return 0;
}
