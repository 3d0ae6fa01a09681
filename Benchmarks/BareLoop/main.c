// The reference of the benchmarks: a bare libcurl multi loop that posts each line of a file to an engine.
// Usage: bare-loop URL CONCURRENCY BODIES. Prints one JSON object with seconds and CPU seconds.
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static size_t count_bytes(char *bytes, size_t size, size_t count, void *context) {
    (void)bytes;
    *(size_t *)context += size * count;
    return size * count;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *bytes = size > 0 ? malloc((size_t)size) : NULL;
    if (bytes && fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    *length = (size_t)size;
    return bytes;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: bare-loop URL CONCURRENCY BODIES\n");
        return 2;
    }
    long concurrency = atol(argv[2]);
    size_t length = 0;
    char *bodies = read_file(argv[3], &length);
    if (!bodies || concurrency < 1) {
        fprintf(stderr, "cannot read %s\n", argv[3]);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_ALL);
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, concurrency);
    struct curl_slist *headers = curl_slist_append(NULL, "content-type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    size_t received = 0;
    char *next = bodies;
    char *end = bodies + length;
    long done = 0;
    long bad = 0;
    int running = 0;
    double start = seconds();

    for (long i = 0; i < concurrency; i++) {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_bytes);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &received);
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        char *newline = next < end ? memchr(next, '\n', (size_t)(end - next)) : NULL;
        if (!newline) break;
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(newline - next));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, next);
        next = newline + 1;
        curl_multi_add_handle(multi, easy);
    }
    do {
        curl_multi_perform(multi, &running);
        CURLMsg *message;
        int left = 0;
        while ((message = curl_multi_info_read(multi, &left))) {
            CURL *easy = message->easy_handle;
            long status = 0;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            if (message->data.result != CURLE_OK || status != 200) bad++;
            done++;
            curl_multi_remove_handle(multi, easy);
            char *newline = next < end ? memchr(next, '\n', (size_t)(end - next)) : NULL;
            if (!newline) {
                curl_easy_cleanup(easy);
                continue;
            }
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(newline - next));
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, next);
            next = newline + 1;
            curl_multi_add_handle(multi, easy);
            running = 1;
        }
        if (running) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    } while (running);

    double elapsed = seconds() - start;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"requests\": %ld, \"bad\": %ld, \"seconds\": %.4f, \"cpu_seconds\": %.4f}\n", done, bad, elapsed, cpu);
    return bad == 0 ? 0 : 1;
}
