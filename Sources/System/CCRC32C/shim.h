// The processor's own CRC-32C instruction, which Swift has no name for.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
static inline bool ccrc32c_is_available(void) { return __builtin_cpu_supports("sse4.2"); }

// `state` is the checksum so far, not inverted.
__attribute__((target("sse4.2")))
static inline uint32_t ccrc32c_update(uint32_t state, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    uint64_t crc = state;
    for (; count >= 8; count -= 8, next += 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    for (; count > 0; count--) crc = __builtin_ia32_crc32qi((uint32_t)crc, *next++);
    return (uint32_t)crc;
}
#else
// Elsewhere the tables do it.
static inline bool ccrc32c_is_available(void) { return false; }
static inline uint32_t ccrc32c_update(uint32_t state, const void *bytes, size_t count) { return state; }
#endif
