/* Preloaded, this moves the clock of a process by as many seconds as a file says, which is read at
 * each look at the clock. Only the time of the day moves: the kernel lets nobody set the others. Where
 * GENAI_TUI_TEST_HOST is given, that is the name of the host. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static long moved(void) {
    const char *path = getenv("GENAI_TUI_TEST_CLOCK");
    char text[32] = "";
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += moved();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed) now->tv_sec += moved();
    return failed;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}

int uname(struct utsname *told) {
    const char *host = getenv("GENAI_TUI_TEST_HOST");
    int failed = syscall(SYS_uname, told);
    if (!failed && host) {
        strncpy(told->nodename, host, sizeof told->nodename - 1);
        told->nodename[sizeof told->nodename - 1] = 0;
    }
    return failed;
}

int gethostname(char *name, size_t size) {
    struct utsname told;
    if (uname(&told)) return -1;
    strncpy(name, told.nodename, size);
    return 0;
}
