/* Makes syncing free, for the benchmark that asks what it costs: preloaded, every fsync and its like does nothing but
   count. The count is said at the end, so that nobody measures a program that the calls do not go through. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_long skipped;

static int skip(void) {
    atomic_fetch_add_explicit(&skipped, 1, memory_order_relaxed);
    return 0;
}

int fsync(int descriptor) {
    (void)descriptor;
    return skip();
}

int fdatasync(int descriptor) {
    (void)descriptor;
    return skip();
}

int sync_file_range(int descriptor, off64_t offset, off64_t count, unsigned int flags) {
    (void)descriptor, (void)offset, (void)count, (void)flags;
    return skip();
}

__attribute__((destructor)) static void say(void) {
    fprintf(stderr, "syncs skipped: %ld\n", atomic_load(&skipped));
}
