// libcurl as a module, with typed functions in place of its variadic ones, which Swift cannot call.
#include <curl/curl.h>

// curl_easy_setopt by type of argument. Each names the types so that a wrong one does not compile.
static inline CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode ccurl_set_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, const void *value) {
    return curl_easy_setopt(handle, option, value);
}
// curl_easy_getinfo writes through a pointer whose type depends on the name.
static inline CURLcode ccurl_get_socket(CURL *handle, curl_socket_t *value) {
    return curl_easy_getinfo(handle, CURLINFO_ACTIVESOCKET, value);
}
static inline CURLcode ccurl_get_tls(CURL *handle, struct curl_tlssessioninfo **value) {
    return curl_easy_getinfo(handle, CURLINFO_TLS_SSL_PTR, value);
}
// curl_multi_setopt is variadic too.
static inline CURLMcode ccurl_multi_set_long(CURLM *handle, CURLMoption option, long value) {
    return curl_multi_setopt(handle, option, value);
}
static inline void ccurl_multi_set_callbacks(
    CURLM *handle, curl_socket_callback sockets, curl_multi_timer_callback timer, void *context) {
    curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION, sockets);
    curl_multi_setopt(handle, CURLMOPT_SOCKETDATA, context);
    curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION, timer);
    curl_multi_setopt(handle, CURLMOPT_TIMERDATA, context);
}
// What is told of a connection's socket: that it was opened, and that it is to be closed.
static inline void ccurl_set_socket_callbacks(
    CURL *handle, curl_sockopt_callback opened, curl_closesocket_callback close, void *context) {
    curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, opened);
    curl_easy_setopt(handle, CURLOPT_SOCKOPTDATA, context);
    curl_easy_setopt(handle, CURLOPT_CLOSESOCKETFUNCTION, close);
    curl_easy_setopt(handle, CURLOPT_CLOSESOCKETDATA, context);
}
static inline CURLSHcode ccurl_share(CURLSH *share, curl_lock_data what) {
    return curl_share_setopt(share, CURLSHOPT_SHARE, what);
}
// Macros with casts do not import.
static inline CURLcode ccurl_global_init(void) { return curl_global_init(CURL_GLOBAL_ALL); }
static const curl_socket_t ccurl_socket_timeout = CURL_SOCKET_TIMEOUT;
