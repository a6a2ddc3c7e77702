/* Data sets for tests: IDX files with a pattern, configurations that name them, and their images. */
#pragma once

#include "config/config.h"

#include "tests/scratch.h"

#include <check.h>
#include <zlib.h>

/* Byte i of the test images: any fixed pattern that doesn't repeat within an image. */
static inline uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static inline void put_32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* An IDX file with `pixels` bytes of pattern after its header, compressed or not. */
static inline const char *write_idx(const char *name, uint32_t magic, uint32_t count,
                                    uint32_t height, uint32_t width, size_t pixels, bool compressed)
{
    const char *path = scratch_path(name);
    uint8_t *bytes = malloc(16 + pixels);
    put_32(bytes, magic);
    put_32(bytes + 4, count);
    put_32(bytes + 8, height);
    put_32(bytes + 12, width);
    for (size_t i = 0; i < pixels; i++)
        bytes[16 + i] = pattern(i);
    if (compressed) {
        gzFile file = gzopen(path, "wb");
        ck_assert_int_eq(gzwrite(file, bytes, (unsigned)(16 + pixels)), (int)(16 + pixels));
        ck_assert_int_eq(gzclose(file), Z_OK);
    } else {
        scratch_write(path, bytes, 16 + pixels);
    }
    free(bytes);
    return path;
}

static inline Config config_of(DataFormat format, const char *train, int resolution, int channels)
{
    Config config;
    config_defaults(&config);
    config.data.format = format;
    config.data.resolution = resolution;
    config.data.channels = channels;
    snprintf(config.data.train, sizeof config.data.train, "%s", train);
    snprintf(config.data.test, sizeof config.data.test, "%s", train);
    return config;
}

static inline float scaled(uint8_t byte)
{
    return 2.0f * (float)byte / 255.0f - 1.0f;
}

static inline void check_images(const float *images, const int64_t *indices, int n, size_t size)
{
    size_t wrong = 0;
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < size; k++)
            wrong += images[(size_t)i * size + k] != scaled(pattern((size_t)indices[i] * size + k));
    ck_assert_uint_eq(wrong, 0);
}
