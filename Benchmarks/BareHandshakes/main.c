// What libssl alone can do: the handshakes of TLSComparison between two SSLs of one thread, over a pair of BIOs in memory.
// No sockets, no event loop, no Swift. What is missing to swift-nio-ssl here is libssl's own.
//
// Usage: bare-handshakes CERTIFICATES COUNT; the directory is one of deploy/certificates.sh.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static SSL_SESSION *session;

static int keep(SSL *ssl, SSL_SESSION *new) {
    (void)ssl;
    SSL_SESSION_free(session);
    session = new;
    return 1;
}

static void require(int is_true, const char *what) {
    if (is_true) return;
    fprintf(stderr, "%s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// The same rules as TLSContext: TLS 1.3, one cipher, no chains built while shaking hands.
static SSL_CTX *make_context(const char *certificates, const char *name) {
    char path[4096];
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    require(SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"), "cipher");
    snprintf(path, sizeof path, "%s/ca.pem", certificates);
    require(SSL_CTX_load_verify_file(context, path), path);
    if (name == NULL) return context;
    snprintf(path, sizeof path, "%s/%s.pem", certificates, name);
    require(SSL_CTX_use_certificate_chain_file(context, path), path);
    snprintf(path, sizeof path, "%s/%s.key", certificates, name);
    require(SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM), path);
    return context;
}

// A handshake, a byte each way, and close_notify each way. 1 when it was resumed.
static int connect_once(SSL_CTX *server_context, SSL_CTX *client_context) {
    SSL *server = SSL_new(server_context), *client = SSL_new(client_context);
    BIO *server_end, *client_end;
    char byte = 1;
    require(BIO_new_bio_pair(&server_end, 1 << 16, &client_end, 1 << 16), "BIO");
    SSL_set_bio(server, server_end, server_end);
    SSL_set_bio(client, client_end, client_end);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    SSL_set1_host(client, "localhost");
    SSL_set_tlsext_host_name(client, "localhost");
    if (session != NULL) SSL_set_session(client, session);
    for (int there = 0, here = 0; there != 1 || here != 1;) {
        if (here != 1) here = SSL_do_handshake(client);
        if (there != 1) there = SSL_do_handshake(server);
        require(ERR_peek_error() == 0, "handshake");
    }
    require(SSL_write(client, &byte, 1) == 1 && SSL_read(server, &byte, 1) == 1, "there");
    require(SSL_write(server, &byte, 1) == 1 && SSL_read(client, &byte, 1) == 1, "back");
    int is_resumed = SSL_session_reused(client);
    SSL_shutdown(client);
    SSL_shutdown(server);
    SSL_free(client);
    SSL_free(server);
    return is_resumed;
}

static void measure(const char *title, SSL_CTX *server, SSL_CTX *client, int count) {
    for (int i = 0; i < count / 10; i++) connect_once(server, client);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    int resumed = 0;
    for (int i = 0; i < count; i++) resumed += connect_once(server, client);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("  %-28s %4.0f us CPU a handshake, %d of %d resumed\n", title, cpu / count * 1e6, resumed, count);
}

int main(int argument_count, char **arguments) {
    require(argument_count == 3, "usage: bare-handshakes CERTIFICATES COUNT:");
    const char *certificates = arguments[1];
    int count = atoi(arguments[2]);
    SSL_CTX *server = make_context(certificates, "scheduler"), *client = make_context(certificates, NULL);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
    puts("libssl alone, both sides on one thread, in memory");
    measure("the server's certificate", server, client, count);

    client = make_context(certificates, "gateway");
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    measure("mutual", server, client, count);

    SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_SERVER);
    SSL_CTX_set_session_id_context(server, (const unsigned char *)"bench", 5);
    SSL_CTX_set_num_tickets(server, 2);
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, keep);
    measure("mutual, resumed", server, client, count);
}
