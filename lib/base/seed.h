/* Seeds in text: one notation for recipes and for the command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A seed that an option may give. */
typedef struct Seed {
    bool given;
    uint64_t value;
} Seed;

/* Reads a number of 64 bits: digits without leading zeros (010 is eight to one reader and ten to
 * another), after an optional plus. False for all other text; *seed then keeps its value. */
bool seed_read(uint64_t *seed, const char *text);

static inline uint64_t seed_or(Seed seed, uint64_t otherwise)
{
    return seed.given ? seed.value : otherwise;
}
