/* Images in IDX. If they are accepted, the last pixel is in memory. */
#include "data/idx.h"
#include "fuzz/target.h"

void fuzz_idx(const uint8_t *bytes, size_t size)
{
    enum { RESOLUTION = 4 };
    Error error = {0};
    IdxImages images;
    volatile uint8_t last = 0; /* the sanitizer reports a read outside of the memory */
    if (!idx_read(&images, fuzz_file("x.idx", bytes, size), RESOLUTION, &error)) {
        fuzz_check_error(&error);
        return;
    }
    last = images.pixels[images.count * RESOLUTION * RESOLUTION - 1];
    (void)last;
    idx_free(&images);
}
