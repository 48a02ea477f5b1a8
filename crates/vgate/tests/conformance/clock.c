/* The clock of a gateway under test: it says what a file says, and nothing else moves it.
 *
 * Preloaded, it stands in front of the C library's clock_gettime, from which Rust's standard library
 * takes all its times. The file holds nanoseconds since 1970 as one word. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const uint64_t *now;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CONFORMANCE_CLOCK");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        void *page = mmap(NULL, sizeof *now, PROT_READ, MAP_SHARED, file, 0);
        now = page == MAP_FAILED ? NULL : page;
        close(file);
    }
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (now == NULL || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) {
        return (int)syscall(SYS_clock_gettime, clock, time);
    }
    uint64_t nanos = __atomic_load_n(now, __ATOMIC_ACQUIRE);
    time->tv_sec = (time_t)(nanos / 1000000000);
    time->tv_nsec = (long)(nanos % 1000000000);
    return 0;
}
