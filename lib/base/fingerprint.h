/* Fingerprints: 64-bit numbers that tell contents apart, such as the weights that a file was made
 * from. They are the same on machines of the same byte order. They do not protect against contents
 * that were made to collide. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { FINGERPRINT_START = 0 };

/* Continues a fingerprint: `before` is FINGERPRINT_START or the fingerprint of the bytes so far. */
uint64_t fingerprint(uint64_t before, const void *bytes, size_t size);
