/* Images and labels in NumPy's files. If images are accepted, the last pixel is in memory. */
#include "data/numpy.h"
#include "base/memory.h"
#include "fuzz/target.h"

static void read_images(const char *path, DataFloats floats)
{
    enum { SIDE = 4, CHANNELS = 2 };
    Error error = {0};
    NumpyImages images;
    volatile uint8_t last = 0; /* the sanitizer reports a read outside of the memory */
    if (!numpy_read(&images, path, SIDE, CHANNELS, floats, &error)) {
        fuzz_check_error(&error);
        return;
    }
    last = images.pixels[images.count * SIDE * SIDE * CHANNELS - 1];
    (void)last;
    numpy_free(&images);
}

void fuzz_numpy(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file("x.npz", bytes, size);
    (void)numpy_detects(path);
    read_images(path, FLOATS_UNIT);
    read_images(path, FLOATS_SIGNED);
    Error error = {0};
    int64_t *labels = NULL, count = 0, sum = 0;
    if (!numpy_read_labels(&labels, &count, path, &error))
        fuzz_check_error(&error);
    for (int64_t i = 0; labels && i < count; i++)
        sum ^= labels[i];
    (void)sum;
    memory_free(labels);
}
