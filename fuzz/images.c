/* Images in HDF5, read wholly and by rows. Both ways give the same pixels. */
#include "data/hdf5_images.h"
#include "fuzz/target.h"

#include <string.h>

enum { RESOLUTION = 4, CHANNELS = 1, PIXELS = RESOLUTION * RESOLUTION * CHANNELS, SOME = 3 };

static bool read_some(const char *path, int64_t in_memory, uint8_t *pixels, Error *error)
{
    Hdf5Images *images;
    if (!hdf5_images_open(&images, path, RESOLUTION, CHANNELS, in_memory, error))
        return false;
    const int64_t last = hdf5_images_count(images) - 1, which[SOME] = {last, 0, last / 2};
    bool ok = hdf5_images_read(images, which, SOME, pixels, error);
    hdf5_images_close(images);
    return ok;
}

void fuzz_images(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    uint8_t whole[SOME * PIXELS] = {0}, rows[SOME * PIXELS] = {0};
    const char *path = fuzz_file("images.h5", bytes, size);
    bool read = read_some(path, HDF5_IMAGES_IN_MEMORY, whole, &error);
    if (!read)
        fuzz_check_error(&error);
    bool read_rows = read_some(path, 0, rows, &error);
    if (!read_rows)
        fuzz_check_error(&error);
    if (read && read_rows && memcmp(whole, rows, sizeof whole) != 0)
        fuzz_broken("images are the same however they are read");
}
