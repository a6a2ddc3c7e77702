/* Tests that the same images are the same data set, and train the same network, in every format. */
#include "data/dataset.h"
#include "hdf5/hdf5_file.h"

#include "tests/archive_files.h"
#include "tests/expect.h"
#include "tests/made_pictures.h"
#include "tests/scratch.h"
#include "tests/suite.h"
#include "tests/train_program.h"

#include <sys/stat.h>

static Error error; /* of the last call */

static void make_directory(const char *name)
{
    ck_assert_int_eq(mkdir(scratch_path(name), 0777), 0);
}

static Config config_of(const char *train, const char *test)
{
    Config config;
    config_defaults(&config);
    config.data.resolution = 32;
    snprintf(config.data.train, sizeof config.data.train, "%s", train);
    snprintf(config.data.test, sizeof config.data.test, "%s", test);
    return config;
}

enum { MANY = 100, COLOUR = 32 * 32 * 3 };

/* Bytes of an .npy with the images. */
static size_t make_npy(uint8_t *bytes, const uint8_t *pixels)
{
    char header[119];
    snprintf(header, sizeof header, "%-117s\n",
             "{'descr': '|u1', 'fortran_order': False, 'shape': (100, 32, 32, 3), }");
    memcpy(bytes, "\x93NUMPY\1\0\x76\0", 10);
    memcpy(bytes + 10, header, 118);
    memcpy(bytes + 128, pixels, (size_t)MANY * COLOUR);
    return 128 + (size_t)MANY * COLOUR;
}

/* A hundred images as CIFAR, PNG in a directory, in tar and zip, .npz and HDF5. */
static void write_everywhere(const uint8_t *pixels)
{
    static uint8_t rows[MANY * (COLOUR + 1)], npy[128 + MANY * COLOUR];
    static MadeFile files[MANY];
    static char names[MANY][32];
    static ArchiveFile archived[MANY];
    static char batches[6][40];
    ArchiveFile cifar[6];
    make_directory("png");
    for (int i = 0; i < MANY; i++) {
        char path[64];
        rows[i * (COLOUR + 1)] = (uint8_t)(i % 10);
        for (int p = 0; p < COLOUR; p++)
            rows[i * (COLOUR + 1) + 1 + p % 3 * 1024 + p / 3] = pixels[i * COLOUR + p];
        files[i] = made_plain_png(32, 32, 3, pixels + (size_t)i * COLOUR);
        snprintf(names[i], sizeof names[i], "%03d.png", i);
        snprintf(path, sizeof path, "png/%.50s", names[i]);
        scratch_write(scratch_path(path), files[i].bytes, files[i].size);
        archived[MANY - 1 - i] = (ArchiveFile){names[i], files[i].bytes, files[i].size, NULL};
    }
    for (int f = 0; f < 6; f++) { /* each batch has twenty of them */
        snprintf(batches[f], sizeof batches[f], f < 5 ? "data_batch_%d.bin" : "test_batch.bin",
                 f + 1);
        cifar[f] =
            (ArchiveFile){batches[f], rows + f % 5 * 20 * (COLOUR + 1), 20 * (COLOUR + 1), NULL};
    }
    archive_write_files(scratch_path("cifar.tar.gz"), cifar, 6);
    archive_write_files(scratch_path("png.tar"), archived, MANY);
    archive_write_files(scratch_path("png.zip"), archived, MANY);
    const ArchiveFile array = {"arr_0.npy", npy, make_npy(npy, pixels), NULL};
    archive_write_files(scratch_path("array.zip"), &array, 1);
    Hdf5File *file;
    const int64_t dims[4] = {MANY, 32, 32, 3};
    assert_ok(hdf5_create(&file, scratch_path("images.h5"), &error));
    assert_ok(hdf5_write(file, "images", HDF5_UINT8, 4, dims, pixels, &error));
    assert_ok(hdf5_commit(file, &error));
    for (int i = 0; i < MANY; i++)
        free(files[i].bytes);
}

START_TEST(the_same_images_are_the_same_data_set_in_every_format)
{
    static const struct {
        const char *name;
        DataFormat format;
    } places[] = {{"images.h5", DATA_HDF5},   {"cifar.tar.gz", DATA_CIFAR},
                  {"png", DATA_PICTURES},     {"png.tar", DATA_PICTURES},
                  {"png.zip", DATA_PICTURES}, {"array.zip", DATA_NUMPY}};
    static uint8_t pixels[MANY * COLOUR];
    static float first[MANY * COLOUR], images[MANY * COLOUR];
    int64_t all[MANY];
    uint64_t print = 0;
    for (int i = 0; i < MANY * COLOUR; i++)
        pixels[i] = (uint8_t)(i * 2654435761U >> 13);
    for (int i = 0; i < MANY; i++)
        all[i] = i;
    write_everywhere(pixels);
    for (int i = 0; i < 6; i++) {
        Config config = config_of(scratch_path(places[i].name), "");
        config.data.resolution = 32;
        config.data.channels = 3;
        Dataset *dataset;
        uint64_t other;
        ck_assert_int_eq(dataset_format_of_file(config.data.train), places[i].format);
        assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
        ck_assert_int_eq(dataset_count(dataset), MANY);
        assert_ok(dataset_fingerprint(dataset, DATASET_FINGERPRINT_BYTES, &other, &error));
        assert_ok(dataset_read(dataset, all, MANY, i == 0 ? first : images, &error));
        print = i == 0 ? other : print;
        ck_assert(other == print);
        ck_assert(i == 0 || memcmp(images, first, sizeof first) == 0);
        dataset_close(dataset);
    }
}
END_TEST

/* metrics.csv of a run without its last column, the speed; free() it. */
static char *losses_of(const char *run)
{
    char name[64];
    size_t size, used = 0;
    snprintf(name, sizeof name, "%s/metrics.csv", run);
    char *text = scratch_read(scratch_path(name), &size), *kept = calloc(size + 1, 1), *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *comma = strrchr(line, ',');
        ck_assert_ptr_nonnull(comma);
        memcpy(kept + used, line, (size_t)(comma - line));
        used += (size_t)(comma - line);
        kept[used++] = '\n';
    }
    free(text);
    return kept;
}

START_TEST(the_same_images_give_the_same_hundred_losses_in_every_format)
{
    static const char recipe[] =
        "name: tiny\n"
        "data: {train: images.h5, test: '', channels: 3, resolution: 32}\n"
        "diffusion: {schedule: linear, timesteps: 100}\n"
        "model: {channels: 4, channel_mult: [1, 1, 1, 1], res_blocks: 1, attention: [], "
        "norm_groups: 2}\n"
        "stage1: {steps: 100, batch: 2}\n";
    static const char *const places[] = {"images.h5", "cifar.tar.gz", "png",    "png.tar",
                                         "png.zip",   "array.zip",    "png.tar"};
    static uint8_t pixels[MANY * COLOUR];
    char *first = NULL;
    for (int i = 0; i < MANY * COLOUR; i++)
        pixels[i] = (uint8_t)(i * 2654435761U >> 13);
    write_everywhere(pixels);
    scratch_write(scratch_path("tiny.yaml"), recipe, sizeof recipe - 1);
    for (int i = 0; i < 7; i++) { /* the last time from a cache */
        char run[16];
        snprintf(run, sizeof run, "run%d", i);
        train(
            0,
            "--stage 1 --quiet --config tiny.yaml --run %s --set data.train=%s --set data.cache=%s",
            run, places[i], i == 6 ? "always" : "never");
        char *losses = losses_of(run);
        int lines = 0;
        for (const char *c = losses; *c; c++)
            lines += *c == '\n';
        ck_assert_int_eq(lines, 101);
        if (!first)
            first = losses;
        ck_assert_msg(strcmp(losses, first) == 0, "%s: other losses than %s", places[i], places[0]);
        if (losses != first)
            free(losses);
    }
    free(first);
}
END_TEST

SUITE_MAIN("the same images", the_same_images_are_the_same_data_set_in_every_format,
           the_same_images_give_the_same_hundred_losses_in_every_format)
