/* Copies of golden checkpoints with the built-in mixture as their data set, for tests of `infer
 * analytic`, which needs training images. */
#pragma once

#include "tests/infer_program.h"

#define GOLDEN_A "tests/golden/golden_a.h5"
#define GOLDEN_B "tests/golden/golden_b.h5"

enum { N = 1000, CHANNELS = 3, SIDE = 16, PIXELS = SIDE * SIDE, DIMS = CHANNELS * PIXELS };

static const char mixture_a[] =
    "name: golden-a\n"
    "data: {format: mixture, channels: 3, resolution: 16}\n"
    "diffusion: {schedule: linear, timesteps: 1000}\n"
    "model: {channels: 16, channel_mult: [1, 2], res_blocks: 1, attention: [8], dropout: 0.0, "
    "norm_groups: 8}\n"
    "head: {type: simple}\n"
    "seed: 5\n";

static const char mixture_b[] =
    "name: golden-b\n"
    "data: {format: mixture, channels: 1, resolution: 8}\n"
    "diffusion: {schedule: cosine, timesteps: 200}\n"
    "model: {channels: 32, channel_mult: [1, 1], res_blocks: 2, attention: [4, 8], dropout: 0.0, "
    "norm_groups: 16}\n"
    "head: {type: complex}\n"
    "seed: 5\n";

/* A copy of golden_a whose data set is the mixture. */
static inline void make_a(const char *name)
{
    hid_t file = file_from(name, GOLDEN_A);
    replace_config(file, mixture_a);
    H5Fclose(file);
}

static inline void change_tensor(const char *name, const char *tensor, float factor, float offset)
{
    hid_t file = H5Fopen(in_directory(name), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t data = H5Dopen2(file, tensor, H5P_DEFAULT);
    ck_assert_msg(data >= 0, "%s has no %s", name, tensor);
    hid_t space = H5Dget_space(data);
    size_t count = (size_t)H5Sget_simple_extent_npoints(space);
    float *values = calloc(count, sizeof *values);
    H5Dread(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    for (size_t i = 0; i < count; i++)
        values[i] = factor * values[i] + offset;
    H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    free(values);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
}

static inline bool says(const char *text)
{
    return strstr(program_output, text) != NULL;
}
