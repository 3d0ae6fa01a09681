// libssl and libcrypto as a module, with functions in place of the macros that Swift cannot call.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// SSL_CTX_ctrl and SSL_ctrl behind a macro for each command.
static inline int copenssl_set_minimum_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline void copenssl_set_session_cache_mode(SSL_CTX *context, long mode) {
    SSL_CTX_set_session_cache_mode(context, mode);
}
static inline int copenssl_set_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}
static inline void copenssl_set_maximum_certificates(SSL_CTX *context, long bytes) {
    SSL_CTX_set_max_cert_list(context, bytes);
}
static inline void copenssl_keep_buffers(SSL_CTX *context) { SSL_CTX_clear_mode(context, SSL_MODE_RELEASE_BUFFERS); }
static inline void copenssl_accept_moving_buffers(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}
static inline void copenssl_build_no_chains(SSL_CTX *context) { SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN); }
// Whether certificates besides the context's own are sent.
static inline int copenssl_has_chain(SSL_CTX *context) {
    STACK_OF(X509) *chain = NULL;
    return SSL_CTX_get0_chain_certs(context, &chain) == 1 && sk_X509_num(chain) > 0;
}
// Looks for the issuers of the context's certificate among the trusted ones, and sends those it finds below the root.
static inline int copenssl_build_chain(SSL_CTX *context) {
    return (int)SSL_CTX_build_cert_chain(
        context, SSL_BUILD_CHAIN_FLAG_NO_ROOT | SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR | SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR);
}
static inline void copenssl_set_session_cache_size(SSL_CTX *context, long sessions) {
    SSL_CTX_sess_set_cache_size(context, sessions);
}
// The options are shifts behind a macro with an argument.
static const uint64_t copenssl_no_ticket = SSL_OP_NO_TICKET;
static const uint64_t copenssl_safe_options =
    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE;
// Flags of a BIO that has nothing to read; macros over BIO_set_flags.
static inline void copenssl_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void copenssl_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
// SSL_set_app_data is a macro over an index of its own.
static inline int copenssl_set_owner(SSL *ssl, void *owner) { return SSL_set_ex_data(ssl, 0, owner); }
static inline void *copenssl_owner(const SSL *ssl) { return SSL_get_ex_data(ssl, 0); }
// Stacks are typed by macros. The names are borrowed: they live as long as `names`.
static inline GENERAL_NAMES *copenssl_alternative_names(const X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}
static inline int copenssl_names_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
// Type (GEN_DNS, GEN_URI, ...), bytes and length of a name that is text; 0 when it is another kind.
static inline int copenssl_name_text(const GENERAL_NAMES *names, int index, int *type, const unsigned char **bytes) {
    GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
    if (name == NULL || (name->type != GEN_DNS && name->type != GEN_URI)) return 0;
    *type = name->type;
    *bytes = ASN1_STRING_get0_data(name->d.ia5);
    return ASN1_STRING_length(name->d.ia5);
}
