/* LD_PRELOAD: a wall clock that was set. It is off by the seconds in the file $CLOCK_SHIFT (a number, which may have a
 * fraction), read again at each look at the clock, so that a test can set it while the program runs. The monotonic
 * clocks are left alone, as they are when a real wall clock is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BILLION 1000000000LL

static long long shift_nanoseconds(void) {
    char text[64];
    const char *path = getenv("CLOCK_SHIFT");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    return llrint(atof(text) * 1e9);
}

static int is_wall(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

static struct timespec shifted(struct timespec time, long long by) {
    long long all = time.tv_sec * BILLION + time.tv_nsec + by;
    /* No clock can be set to before 1970. */
    if (all < 0) all = 0;
    return (struct timespec){all / BILLION, all % BILLION};
}

static struct timespec wall(void) {
    static int (*real)(clockid_t, struct timespec *);
    struct timespec time;
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    real(CLOCK_REALTIME, &time);
    return shifted(time, shift_nanoseconds());
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, time);
    if (code == 0 && is_wall(clock)) *time = shifted(*time, shift_nanoseconds());
    return code;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now = wall();
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

int timespec_get(struct timespec *time, int base) {
    if (base != TIME_UTC) return 0;
    *time = wall();
    return base;
}

time_t time(time_t *result) {
    time_t now = wall().tv_sec;
    if (result) *result = now;
    return now;
}
