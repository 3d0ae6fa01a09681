// Loads an HTTP server with online requests, and plays an engine whose streams carry the time at which each chunk was sent.
//
//   online-load open HOST:PORT PATH RATE SECONDS       requests at a fixed rate, whatever the answers take
//   online-load closed HOST:PORT PATH CONNECTIONS SECONDS   as many as are answered
//   online-load streams HOST:PORT PATH STREAMS SECONDS  streams, and how late their chunks are
//   online-load engine PORT CHUNKS_A_SECOND
//
// The first three read the body to send from standard input, print one line of JSON, and fail on any answer but a 200.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, BUFFER = 1 << 16 };

struct connection {
    int fd, busy, chunked, head_done;
    int64_t due;           // when its request was to be sent
    size_t used, expected; // of the answer, head included; expected 0: not known yet
    char data[BUFFER];
};

static struct connection *connections[MAX_CONNECTIONS];
static int idle[MAX_CONNECTIONS], idle_count, connection_count, poller;
static struct sockaddr_in server;
static char *request;
static size_t request_bytes;
static int64_t *samples;
static size_t sample_count, sample_room, answers;

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void sample(int64_t nanoseconds) {
    if (sample_count == sample_room) {
        sample_room = sample_room ? 2 * sample_room : 1 << 16;
        samples = realloc(samples, sample_room * sizeof *samples);
        if (!samples) fail("realloc");
    }
    samples[sample_count++] = nanoseconds;
}

static int by_size(const void *one, const void *other) {
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static double percentile(double part) {
    return sample_count ? samples[(size_t)(part * (sample_count - 1))] / 1e6 : -1;
}

static void report(double seconds) {
    qsort(samples, sample_count, sizeof *samples, by_size);
    printf("{\"samples\": %zu, \"answers\": %zu, \"rate\": %.1f, \"p50\": %.4f, \"p99\": %.4f, \"max\": %.4f}\n", sample_count,
           answers, answers / seconds, percentile(0.5), percentile(0.99), percentile(1));
}

static int open_connection(void) {
    if (connection_count == MAX_CONNECTIONS) fail("too many connections");
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) fail("calloc");
    connection->fd = fd;
    connections[connection_count] = connection;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = connection_count};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    return connection_count++;
}

static void send_request(int index, int64_t due) {
    struct connection *connection = connections[index];
    if (write(connection->fd, request, request_bytes) != (ssize_t)request_bytes) fail("write");
    connection->busy = 1;
    connection->due = due;
    connection->used = connection->expected = connection->head_done = connection->chunked = 0;
}

static void check_head(struct connection *connection) {
    if (strncmp(connection->data, "HTTP/1.1 200", 12)) {
        fprintf(stderr, "answered: %.300s\n", connection->data);
        exit(1);
    }
}

// Whether the answer has come as a whole.
static int read_answer(struct connection *connection) {
    ssize_t count = read(connection->fd, connection->data + connection->used, BUFFER - 1 - connection->used);
    if (count <= 0) fail("the server closed a connection");
    connection->used += count;
    connection->data[connection->used] = 0;
    if (!connection->expected) {
        char *end = strstr(connection->data, "\r\n\r\n");
        if (!end) return 0;
        check_head(connection);
        char *length = strcasestr(connection->data, "content-length:");
        if (!length || length > end) fail("an answer without a length");
        connection->expected = end + 4 - connection->data + strtoul(length + 15, NULL, 10);
    }
    return connection->used >= connection->expected;
}

static void open_loop(double rate, double seconds) {
    int64_t start = now(), interval = (int64_t)(1e9 / rate), total = (int64_t)(rate * seconds), sent = 0, done = 0;
    // The first tenth warms up.
    int64_t measured_from = start + (int64_t)(seconds * 1e8);
    struct epoll_event events[256];
    while (done < total) {
        int64_t time = now();
        while (sent < total && start + sent * interval <= time) {
            send_request(idle_count ? idle[--idle_count] : open_connection(), start + sent * interval);
            sent++;
        }
        int64_t wait = sent < total ? start + sent * interval - now() : 100000000;
        struct timespec timeout = {0, wait > 0 ? wait : 0};
        int count = epoll_pwait2(poller, events, 256, &timeout, NULL);
        for (int i = 0; i < count; i++) {
            int index = events[i].data.u32;
            if (!read_answer(connections[index])) continue;
            if (connections[index]->due >= measured_from) sample(now() - connections[index]->due);
            connections[index]->busy = 0;
            idle[idle_count++] = index;
            done++;
            answers++;
        }
    }
    report(seconds);
}

static void closed_loop(int width, double seconds) {
    int64_t start = now(), measured_from = start + (int64_t)(seconds * 1e8), end = start + (int64_t)(seconds * 1e9);
    for (int i = 0; i < width; i++) send_request(open_connection(), now());
    struct epoll_event events[256];
    while (now() < end) {
        int count = epoll_wait(poller, events, 256, 100);
        for (int i = 0; i < count; i++) {
            int index = events[i].data.u32;
            if (!read_answer(connections[index])) continue;
            int64_t time = now();
            if (connections[index]->due >= measured_from) {
                sample(time - connections[index]->due);
                answers++;
            }
            send_request(index, time);
        }
    }
    report(seconds * 0.9);
}

// Looks for the times that the engine wrote into its chunks.
static void read_stream(struct connection *connection, int64_t measured_from) {
    ssize_t count = read(connection->fd, connection->data + connection->used, BUFFER - 1 - connection->used);
    if (count <= 0) fail("the server closed a stream");
    int64_t time = now();
    connection->used += count;
    connection->data[connection->used] = 0;
    if (!connection->head_done) {
        if (!strstr(connection->data, "\r\n\r\n")) return;
        check_head(connection);
        connection->head_done = 1;
    }
    char *at = connection->data, *found, *end;
    while ((found = strstr(at, "\"sent\":")) && (end = strchr(found, '}'))) {
        int64_t sent = strtoll(found + 7, NULL, 10);
        answers++;
        if (sent >= measured_from) sample(time - sent);
        at = end;
    }
    connection->used -= at - connection->data;
    memmove(connection->data, at, connection->used + 1);
}

static void streams(int width, double seconds) {
    int64_t start = now(), end = start + (int64_t)(seconds * 1e9);
    for (int i = 0; i < width; i++) send_request(open_connection(), start);
    struct epoll_event events[256];
    while (now() < end) {
        int count = epoll_wait(poller, events, 256, 100);
        for (int i = 0; i < count; i++) read_stream(connections[events[i].data.u32], start + (int64_t)(seconds * 1e8));
    }
    report(seconds);
}

// MARK: the engine

static int engine_fds[MAX_CONNECTIONS], engine_count;

static int send_text(int fd, const char *text, size_t count) {
    return send(fd, text, count, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)count;
}

// Streams to whoever has asked; all else gets an empty list of models.
static void serve(int fd) {
    char data[BUFFER];
    ssize_t count = read(fd, data, sizeof data - 1);
    if (count <= 0) {
        for (int i = 0; i < engine_count; i++)
            if (engine_fds[i] == fd) engine_fds[i] = engine_fds[--engine_count];
        close(fd);
        return;
    }
    data[count] = 0;
    static const char models[] = "HTTP/1.1 200 OK\r\ncontent-length: 28\r\n\r\n{\"object\":\"list\",\"data\":[]}\n";
    static const char head[] =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    if (!strncmp(data, "GET", 3)) {
        send_text(fd, models, sizeof models - 1);
    } else if (!strncmp(data, "POST", 4) && engine_count < MAX_CONNECTIONS && send_text(fd, head, sizeof head - 1)) {
        engine_fds[engine_count++] = fd;
    }
}

// Chunks go out spread over the period, as they would from an engine whose streams began at different times.
static void engine(int port, double rate) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, timer = timerfd_create(CLOCK_MONOTONIC, 0);
    server.sin_port = htons(port);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&server, sizeof server) || listen(listener, 1024)) fail("listen");
    socklen_t length = sizeof server;
    getsockname(listener, (struct sockaddr *)&server, &length);
    printf("listening 127.0.0.1:%d\n", ntohs(server.sin_port));
    fflush(stdout);
    enum { SLOTS = 20 };
    long interval = (long)(1e9 / rate / SLOTS);
    struct itimerspec ticks = {{0, interval}, {0, interval}};
    timerfd_settime(timer, 0, &ticks, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = timer;
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    for (unsigned slot = 0;;) {
        int count = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                struct epoll_event client = {.events = EPOLLIN, .data.fd = accept(listener, NULL, NULL)};
                setsockopt(client.data.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                epoll_ctl(poller, EPOLL_CTL_ADD, client.data.fd, &client);
            } else if (fd == timer) {
                uint64_t expirations = 0;
                if (read(timer, &expirations, sizeof expirations) < 0) continue;
                for (; expirations > 0; expirations--, slot++) {
                    for (int k = slot % SLOTS; k < engine_count; k += SLOTS) {
                        char body[256], chunk[300];
                        int size = snprintf(body, sizeof body,
                                            "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":"
                                            "{\"content\":\" word\"}}],\"sent\":%lld}\n\n",
                                            (long long)now());
                        size = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", size, body);
                        send_text(engine_fds[k], chunk, size);
                    }
                }
            } else {
                serve(fd);
            }
        }
    }
}

static void prepare_request(const char *address, const char *path) {
    char host[64], *body = malloc(1 << 20);
    size_t body_bytes = fread(body, 1, 1 << 20, stdin);
    snprintf(host, sizeof host, "%s", address);
    char *colon = strchr(host, ':');
    if (!colon) fail("HOST:PORT");
    *colon = 0;
    server.sin_port = htons(atoi(colon + 1));
    inet_pton(AF_INET, host, &server.sin_addr);
    request = malloc(body_bytes + 1024);
    int head = snprintf(request, 1024,
                        "POST %s HTTP/1.1\r\nhost: %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n", path,
                        address, body_bytes);
    memcpy(request + head, body, body_bytes);
    request_bytes = head + body_bytes;
    free(body);
}

int main(int count, char **arguments) {
    poller = epoll_create1(0);
    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (count == 4 && !strcmp(arguments[1], "engine")) {
        engine(atoi(arguments[2]), atof(arguments[3]));
    } else if (count == 6) {
        prepare_request(arguments[2], arguments[3]);
        double amount = atof(arguments[4]), seconds = atof(arguments[5]);
        if (!strcmp(arguments[1], "open")) open_loop(amount, seconds);
        else if (!strcmp(arguments[1], "closed")) closed_loop((int)amount, seconds);
        else if (!strcmp(arguments[1], "streams")) streams((int)amount, seconds);
    } else {
        fprintf(stderr, "see the head of Benchmarks/OnlineLoad/main.c\n");
        return 2;
    }
    return 0;
}
