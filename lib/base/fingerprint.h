/* A number that tells contents apart: whether a file was made from these very weights. Not secret, not
 * against an adversary; the same on every machine of one byte order. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { FINGERPRINT_START = 0 };

/* That of `size` bytes that follow what `before` is the fingerprint of. */
uint64_t fingerprint(uint64_t before, const void *bytes, size_t size);
