/* LD_PRELOAD: writes down, in order, what a program does to the files below $RECORD_ROOT, into $RECORD_TRACE.
 *
 * A record is one line of JSON and, for a write, its bytes; it is appended with one write(2), so that records of several
 * programs have one order. A change is recorded after it was made and a sync after it returned: what is recorded as
 * synced was on disk, and an answer that a client notes after it got it comes after the syncs that it stands on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAXIMUM_DESCRIPTORS 4096

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *root;
static size_t root_length;
static int trace = -1;

static ssize_t (*real_write)(int, const void *, size_t);

static void start(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    const char *path = getenv("RECORD_TRACE");
    root = getenv("RECORD_ROOT");
    if (path && root) {
        root_length = strlen(root);
        trace = real_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
}

#define REAL(name, result, ...) \
    pthread_once(&once, start); \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, #name)

static int is_watched(const char *path) {
    return trace >= 0 && path && strncmp(path, root, root_length) == 0;
}

/* The path of a descriptor as it is named now; by inode it would be the same file after a rename. */
static int path_of(int descriptor, char *path) {
    char link[64];
    if (trace < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_watched(path);
}

static unsigned long inode_of(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

static unsigned long inode_at(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0 ? status.st_ino : 0;
}

static void record(const void *bytes, size_t count, const char *format, ...) {
    int before = errno;
    char *line = malloc(2 * PATH_MAX + 256 + count);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, 2 * PATH_MAX + 256, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    if (count) memcpy(line + length, bytes, count);
    if (real_write(trace, line, length + count) < 0) abort();
    free(line);
    errno = before;
}

#define LOCKED(body) do { pthread_mutex_lock(&guard); body; pthread_mutex_unlock(&guard); } while (0)

static int opened(int descriptor, int flags, int existed) {
    char path[PATH_MAX];
    if (descriptor >= 0 && (flags & (O_CREAT | O_TRUNC)) && path_of(descriptor, path)) {
        unsigned long inode = inode_of(descriptor);
        if (!existed) record(NULL, 0, "{\"op\":\"create\",\"inode\":%lu,\"path\":\"%s\"}", inode, path);
        if (existed && (flags & O_TRUNC)) record(NULL, 0, "{\"op\":\"truncate\",\"inode\":%lu,\"size\":0}", inode);
    }
    return descriptor;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name, int, const char *, int, ...); \
        va_list arguments; \
        va_start(arguments, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0; \
        va_end(arguments); \
        if (!is_watched(path)) return real(path, flags, mode); \
        int descriptor; \
        LOCKED({ \
            int existed = inode_at(path) != 0; \
            descriptor = opened(real(path, flags, mode), flags, existed); \
        }); \
        return descriptor; \
    }
OPEN(open)
OPEN(open64)

static void wrote(int descriptor, const void *bytes, ssize_t count, off64_t offset) {
    char path[PATH_MAX];
    if (count <= 0 || !path_of(descriptor, path)) return;
    record(bytes, count, "{\"op\":\"write\",\"inode\":%lu,\"offset\":%lld,\"bytes\":%zd}", inode_of(descriptor),
           (long long)offset, count);
}

#define PWRITE(name) \
    ssize_t name(int descriptor, const void *bytes, size_t count, off64_t offset) { \
        REAL(name, ssize_t, int, const void *, size_t, off64_t); \
        ssize_t written; \
        LOCKED({ written = real(descriptor, bytes, count, offset); wrote(descriptor, bytes, written, offset); }); \
        return written; \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int descriptor, const void *bytes, size_t count) {
    REAL(write, ssize_t, int, const void *, size_t);
    char path[PATH_MAX];
    if (!path_of(descriptor, path)) return real(descriptor, bytes, count);
    ssize_t written;
    LOCKED({
        off64_t offset = lseek64(descriptor, 0, SEEK_CUR);
        written = real(descriptor, bytes, count);
        wrote(descriptor, bytes, written, offset);
    });
    return written;
}

#define SYNC(name) \
    int name(int descriptor) { \
        REAL(name, int, int); \
        char path[PATH_MAX]; \
        unsigned long inode = 0; \
        int watched = path_of(descriptor, path); \
        int result; \
        LOCKED({ \
            result = real(descriptor); \
            if (watched) inode = inode_of(descriptor); \
            if (watched && result == 0) record(NULL, 0, "{\"op\":\"sync\",\"inode\":%lu,\"path\":\"%s\"}", inode, path); \
        }); \
        return result; \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name) \
    int name(int descriptor, off64_t size) { \
        REAL(name, int, int, off64_t); \
        char path[PATH_MAX]; \
        int watched = path_of(descriptor, path); \
        int result; \
        LOCKED({ \
            result = real(descriptor, size); \
            if (watched && result == 0) \
                record(NULL, 0, "{\"op\":\"truncate\",\"inode\":%lu,\"size\":%lld}", inode_of(descriptor), (long long)size); \
        }); \
        return result; \
    }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int posix_fallocate(int descriptor, off_t offset, off_t length) {
    REAL(posix_fallocate, int, int, off_t, off_t);
    char path[PATH_MAX];
    int result;
    LOCKED({
        result = real(descriptor, offset, length);
        if (result == 0 && path_of(descriptor, path))
            record(NULL, 0, "{\"op\":\"extend\",\"inode\":%lu,\"size\":%lld}", inode_of(descriptor),
                   (long long)(offset + length));
    });
    return result;
}

int rename(const char *from, const char *to) {
    REAL(rename, int, const char *, const char *);
    int result;
    LOCKED({
        result = real(from, to);
        if (result == 0 && is_watched(to)) record(NULL, 0, "{\"op\":\"rename\",\"path\":\"%s\",\"to\":\"%s\"}", from, to);
    });
    return result;
}

#define ONE_PATH(name, operation) \
    int name(const char *path) { \
        REAL(name, int, const char *); \
        int result; \
        LOCKED({ \
            result = real(path); \
            if (result == 0 && is_watched(path)) record(NULL, 0, "{\"op\":\"" operation "\",\"path\":\"%s\"}", path); \
        }); \
        return result; \
    }
ONE_PATH(unlink, "unlink")
ONE_PATH(rmdir, "unlink")

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir, int, const char *, mode_t);
    int result;
    LOCKED({
        result = real(path, mode);
        if (result == 0 && is_watched(path))
            record(NULL, 0, "{\"op\":\"mkdir\",\"inode\":%lu,\"path\":\"%s\"}", inode_at(path), path);
    });
    return result;
}
