/* LD_PRELOAD: a disk whose syncs fail or are slow. The file $SYNC_FAULT holds one line, read again at each sync, so
 * that a test can change it while the program runs:
 *
 *     fail N PATTERN      the Nth sync (from 1) of a path that contains PATTERN fails with EIO and syncs nothing
 *     slow MS PATTERN     each of them takes MS milliseconds longer
 *
 * Anything else is no fault. A failure is told on stderr. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static char counted[PATH_MAX];
static long count;

struct fault {
    char kind[8];
    long number;
    char pattern[PATH_MAX];
};

static int read_fault(char *text, struct fault *fault) {
    const char *path = getenv("SYNC_FAULT");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t length = read(file, text, PATH_MAX - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    return sscanf(text, "%7s %ld %4095s", fault->kind, &fault->number, fault->pattern) == 3;
}

static int is_watched(int descriptor, const char *pattern, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    return strstr(path, pattern) != NULL;
}

/* Counts from the moment that the fault was set. */
static int is_due(const char *text, long number) {
    pthread_mutex_lock(&guard);
    if (strcmp(text, counted) != 0) {
        strcpy(counted, text);
        count = 0;
    }
    int due = ++count == number;
    pthread_mutex_unlock(&guard);
    return due;
}

/* 0, or the errno of the failure. */
static int disturb(int descriptor) {
    char text[PATH_MAX], path[PATH_MAX];
    struct fault fault;
    if (!read_fault(text, &fault) || !is_watched(descriptor, fault.pattern, path)) return 0;
    if (strcmp(fault.kind, "slow") == 0) {
        struct timespec pause = {fault.number / 1000, fault.number % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    if (strcmp(fault.kind, "fail") != 0 || !is_due(text, fault.number)) return 0;
    dprintf(STDERR_FILENO, "sync fails: %s\n", path);
    return EIO;
}

#define DISTURBED(name) \
    int name(int descriptor) { \
        static int (*real)(int); \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        int code = disturb(descriptor); \
        if (code == 0) return real(descriptor); \
        errno = code; \
        return -1; \
    }

DISTURBED(fsync)
DISTURBED(fdatasync)
