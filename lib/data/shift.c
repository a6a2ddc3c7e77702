/* Moves an image within its own memory: rows in the order in which none is overwritten before it is
 * read.
 */
#include "data/shift.h"

#include "base/random.h"

#include <stdlib.h>
#include <string.h>

void shift_image(float *image, int side, int channels, int down, int right)
{
    const size_t pixel = (size_t)channels, row = (size_t)side * pixel;
    const size_t kept = (size_t)(abs(right) < side ? side - abs(right) : 0) * pixel;
    const size_t from = right < 0 ? row - kept : 0, to = right < 0 ? 0 : row - kept;
    for (int i = 0; i < side; i++) {
        const int y = down > 0 ? side - 1 - i : i, source = y - down;
        float *out = image + (size_t)y * row;
        if (source < 0 || source >= side) {
            memset(out, 0, row * sizeof *out);
            continue;
        }
        memmove(out + to, image + (size_t)source * row + from, kept * sizeof *out);
        memset(right < 0 ? out + kept : out, 0, (row - kept) * sizeof *out);
    }
}

void shift_at_random(uint64_t seed, uint32_t step, int most, int count, int side, int channels,
                     float *images)
{
    const size_t dims = (size_t)side * (size_t)side * (size_t)channels;
    const uint32_t places = 2 * (uint32_t)most + 1;
    for (int i = 0; i < count; i++) {
        const RandomKey key = {
            .seed = seed, .purpose = RANDOM_SHIFT, .step = step, .sample = (uint32_t)i};
        shift_image(images + (size_t)i * dims, side, channels,
                    (int)random_below(key, 0, places) - most,
                    (int)random_below(key, 1, places) - most);
    }
}
