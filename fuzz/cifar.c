/* CIFAR in an archive. If it is accepted, the last pixel is in memory, and labels are in range. */
#include "data/cifar.h"
#include "fuzz/target.h"

void fuzz_cifar(const uint8_t *bytes, size_t size)
{
    enum { BYTES = CIFAR_SIDE * CIFAR_SIDE * CIFAR_CHANNELS };
    const char *path = fuzz_file("x.tar", bytes, size);
    (void)cifar_detects(path);
    for (int test = 0; test < 2; test++) {
        Error error = {0};
        CifarImages images;
        volatile uint8_t last = 0; /* the sanitizer reports a read outside of the memory */
        if (!cifar_read(&images, path, test, &error)) {
            fuzz_check_error(&error);
            continue;
        }
        last = images.pixels[images.count * BYTES - 1];
        (void)last;
        for (int64_t i = 0; i < images.count; i++)
            if (images.labels[i] >= 100)
                fuzz_broken("labels are in range");
        cifar_free(&images);
    }
}
