// Processor time for WASI programs, which is the time since the program's start. Zig's own version of this
// file asks WASI 0.1 for the time. This one asks the C library, which has the time from WASI 0.2.

#define _WASI_EMULATED_PROCESS_CLOCKS
#include <errno.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <time.h>

static clock_t start;

static clock_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * CLOCKS_PER_SEC + time.tv_nsec / (1000000000 / CLOCKS_PER_SEC);
}

__attribute__((constructor(10))) static void begin(void) { start = now(); }

clock_t clock(void) { return now() - start; }

clock_t times(struct tms *times) {
    *times = (struct tms){.tms_utime = clock()};
    return now();
}

int getrusage(int who, struct rusage *usage) {
    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN) {
        errno = EINVAL;
        return -1;
    }
    clock_t used = who == RUSAGE_SELF ? clock() : 0;
    *usage = (struct rusage){
        .ru_utime = {
            .tv_sec = used / CLOCKS_PER_SEC,
            .tv_usec = used % CLOCKS_PER_SEC / (CLOCKS_PER_SEC / 1000000),
        },
    };
    return 0;
}
