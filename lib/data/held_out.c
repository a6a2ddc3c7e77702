/* Throws a die for each image: a random number keyed by the image's index (base/random.h). An image
 * whose number is below a limit is held out; if there is none, the image with the smallest number
 * is. */
#include "data/held_out.h"

#include "base/memory.h"
#include "base/random.h"

/* The division of a data set belongs to the meaning of its checkpoints: never change this seed. */
static const uint64_t held_out_seed = 0x68656c64206f7574;

static uint32_t number_of(int64_t image)
{
    return random_u32(
        (RandomKey){.seed = held_out_seed, .purpose = RANDOM_HELD_OUT, .sample = (uint32_t)image},
        0);
}

/* Numbers below the result are held out. */
static uint32_t limit_of(int64_t count)
{
    const int64_t share =
        count / HELD_OUT_SHARE < HELD_OUT_MOST ? count / HELD_OUT_SHARE : HELD_OUT_MOST;
    const uint32_t limit = (uint32_t)(4294967296.0 * (double)share / (double)count);
    uint32_t smallest = UINT32_MAX;
    for (int64_t i = 0; i < count; i++) {
        const uint32_t number = number_of(i);
        smallest = number < smallest ? number : smallest;
    }
    return smallest < limit ? limit : smallest + 1;
}

bool held_out_choose(uint32_t **chosen, int64_t *chosen_count, int64_t count, bool held,
                     const char *name, Error *error)
{
    *chosen_count = 0;
    if (count < 2)
        return error_input(error,
                           "%s: has one image, and data.test: auto holds some out; expected more, "
                           "or another data.test (\"\" for none)",
                           name);
    *chosen = memory_large((size_t)count, sizeof **chosen, "indices of images", error);
    if (!*chosen)
        return false;
    const uint32_t limit = limit_of(count);
    for (int64_t i = 0; i < count; i++)
        if ((number_of(i) < limit) == held)
            (*chosen)[(*chosen_count)++] = (uint32_t)i;
    return true;
}
