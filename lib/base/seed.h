/* Seeds: one notation for recipes and for the command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One that may be given. */
typedef struct Seed {
    bool given;
    uint64_t value;
} Seed;

/* Digits without leading zeros (010 is eight to one reader and ten to another), which a plus may precede; any number
 * of 64 bits. False, and *seed as it was, for everything else. */
bool seed_read(uint64_t *seed, const char *text);

static inline uint64_t seed_or(Seed seed, uint64_t otherwise)
{
    return seed.given ? seed.value : otherwise;
}
