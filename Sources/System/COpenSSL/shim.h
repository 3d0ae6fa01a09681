// libssl and libcrypto as a module.
#include <openssl/sha.h>
#include <openssl/ssl.h>
