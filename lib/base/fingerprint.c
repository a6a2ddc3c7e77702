/* Mixes 8 bytes at a time into the state. The size of each piece counts, so that "ab" and "a"
 * followed by "b" differ. */
#include "base/fingerprint.h"

#include <string.h>

/* A 64-bit finaliser: every bit of the word affects every bit of the result (Stafford's variant 13
 * of MurmurHash3's). */
static uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

uint64_t fingerprint(uint64_t before, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t state = mix(before + size + 0x9e3779b97f4a7c15u), word;
    for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
        memcpy(&word, at, sizeof word);
        state = mix(state ^ word) + 0x9e3779b97f4a7c15u;
    }
    word = 0;
    if (size > 0) /* NULL has no bytes to copy, but memcpy may not be given it */
        memcpy(&word, at, size);
    return mix(state ^ word);
}
