/* Tests of data sets: what they refuse, HDF5, fingerprints, the table of formats, and the mixture. */
#include "base/memory.h"
#include "base/random.h"
#include "data/dataset_format.h"
#include "data/hdf5_images.h"
#include "hdf5/hdf5_file.h"

#include "tests/data_files.h"
#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <hdf5.h>
#include <math.h>
#include <sys/stat.h>

static Error error; /* of the last call */

/* -- Opening ---------------------------------------------------------------------------------- */

START_TEST(data_sets_must_fit_the_configuration)
{
    Dataset *dataset;
    Config config = config_of(DATA_IDX, write_idx("images", 0x803, 10, 28, 28, 7840, false), 32, 1);
    assert_fails(dataset_open(&dataset, &config, DATASET_TEST, &error),
                 "images: images are 28x28, but data.resolution is 32");
    config.data.resolution = 28;
    config.data.channels = 3;
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "images: IDX images have 1 channel, but data.channels is 3");
    config = config_of(DATA_IDX, scratch_path("fashion-mnist/train.gz"), 28, 1);
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "fashion-mnist/train.gz: no such file; Debian's package dataset-fashion-mnist "
                 "brings it (make deps)");
    config = config_of(DATA_IDX, scratch_path("mine.gz"), 28, 1);
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "mine.gz: no such file, expected an IDX file of images");
    config = config_of(DATA_IDX, "", 28, 1);
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error), "no file name given");
    ck_assert_ptr_null(dataset);
}
END_TEST

START_TEST(fashion_mnist_is_read_where_it_is_installed)
{
    Config config;
    config_defaults(&config);
    if (access(config.data.train, R_OK) != 0 || access(config.data.test, R_OK) != 0) {
        suite_skips("Fashion-MNIST");
        return;
    }
    Dataset *train, *test;
    assert_ok(dataset_open(&train, &config, DATASET_TRAIN, &error));
    assert_ok(dataset_open(&test, &config, DATASET_TEST, &error));
    ck_assert_int_eq(dataset_count(train), 60000);
    ck_assert_int_eq(dataset_count(test), 10000);
    float image[784], minimum = 1, maximum = -1;
    assert_ok(dataset_read(train, (int64_t[]){59999}, 1, image, &error));
    for (int i = 0; i < 784; i++) {
        minimum = (float)smaller(minimum, image[i]);
        maximum = (float)larger(maximum, image[i]);
    }
    ck_assert(minimum == -1 && maximum > 0.5f && maximum <= 1);
    dataset_close(train);
    dataset_close(test);
}
END_TEST

/* -- HDF5 ------------------------------------------------------------------------------------- */

enum { COLOUR_COUNT = 50, COLOUR_SIZE = 6 * 6 * 3 };

static const char *write_hdf5(const char *name, Hdf5Type type, int64_t height, int64_t channels)
{
    static uint8_t pixels[COLOUR_COUNT * COLOUR_SIZE * sizeof(float)];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = pattern(i);
    const char *path = scratch_path("pictures.h5");
    Hdf5File *file;
    int64_t dims[4] = {COLOUR_COUNT, height, 6, channels};
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write(file, name, type, 4, dims, pixels, &error));
    assert_ok(hdf5_commit(file, &error));
    return path;
}

START_TEST(hdf5_images_are_read)
{
    Config config = config_of(DATA_HDF5, write_hdf5("images", HDF5_UINT8, 6, 3), 6, 3);
    Dataset *dataset;
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    ck_assert_int_eq(dataset_count(dataset), COLOUR_COUNT);
    const int64_t indices[5] = {49, 3, 4, 5, 0};
    float images[5 * COLOUR_SIZE];
    assert_ok(dataset_read(dataset, indices, 2, images, &error));
    check_images(images, indices, 2, COLOUR_SIZE);
    assert_ok(dataset_read(dataset, indices, 5, images, &error));
    check_images(images, indices, 5, COLOUR_SIZE);
    assert_fails(dataset_read(dataset, (int64_t[]){50}, 1, images, &error), "no image 50");
    dataset_close(dataset);
}
END_TEST

START_TEST(a_large_hdf5_file_is_read_by_rows)
{
    const char *path = write_hdf5("images", HDF5_UINT8, 6, 3);
    const int64_t indices[6] = {0, 1, 2, 49, 7, 7};
    const int64_t limits[2] = {COLOUR_COUNT * COLOUR_SIZE, COLOUR_COUNT * COLOUR_SIZE - 1};
    for (int i = 0; i < 2; i++) {
        Hdf5Images *images;
        uint8_t pixels[6 * COLOUR_SIZE];
        assert_ok(hdf5_images_open(&images, path, 6, 3, limits[i], &error));
        ck_assert_int_eq(hdf5_images_count(images), COLOUR_COUNT);
        ck_assert_int_eq(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_FILE), i == 0 ? 0 : 1);
        assert_ok(hdf5_images_read(images, indices, 6, pixels, &error));
        for (int k = 0; k < 6 * COLOUR_SIZE; k++)
            ck_assert_uint_eq(pixels[k], pattern((size_t)indices[k / COLOUR_SIZE] * COLOUR_SIZE +
                                                 (size_t)(k % COLOUR_SIZE)));
        hdf5_images_close(images);
    }
}
END_TEST

static uint64_t print_of(DataFormat format, const char *path, int64_t most_bytes)
{
    Config config = config_of(format, path, 6, 1);
    Dataset *dataset;
    uint64_t print;
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    assert_ok(dataset_fingerprint(dataset, most_bytes, &print, &error));
    dataset_close(dataset);
    return print;
}

enum { MANY = 3000, GREY_SIZE = 6 * 6 };

/* `count` images of one channel in HDF5, in chunks of one; pixel `changed` is another (-1: none). */
static const char *write_grey(const char *name, int count, int64_t changed)
{
    const char *path = scratch_path(name);
    const size_t size = (size_t)count * GREY_SIZE;
    uint8_t *pixels = malloc(size);
    Hdf5File *file;
    int64_t dims[4] = {count, 6, 6, 1};
    for (size_t i = 0; i < size; i++)
        pixels[i] = pattern(i);
    if (changed >= 0)
        pixels[changed] ^= 1;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write(file, "images", HDF5_UINT8, 4, dims, pixels, &error));
    assert_ok(hdf5_commit(file, &error));
    free(pixels);
    return path;
}

/* It tells of what the images are, not of where or how they are stored. */
START_TEST(a_fingerprint_is_of_the_images)
{
    const int64_t all = DATASET_FINGERPRINT_BYTES;
    const char *idx = write_idx("a.idx", 0x803, 50, 6, 6, 50 * GREY_SIZE, false);
    const uint64_t print = print_of(DATA_IDX, idx, all);
    ck_assert(print_of(DATA_IDX, write_idx("b.gz", 0x803, 50, 6, 6, 50 * GREY_SIZE, true), all) ==
              print);
    ck_assert(print_of(DATA_HDF5, write_grey("c.h5", 50, -1), all) == print);
    ck_assert(print_of(DATA_HDF5, write_grey("d.h5", 49, -1), all) != print);
    for (int64_t pixel = 0; pixel < 50 * GREY_SIZE; pixel += 97)
        ck_assert(print_of(DATA_HDF5, write_grey("e.h5", 50, pixel), all) != print);
}
END_TEST

/* Of a large data set some images count, its first and its last among them; how it is stored still does not. */
START_TEST(a_fingerprint_of_a_large_data_set_reads_a_part)
{
    const int64_t some = MANY * GREY_SIZE - 1, last = MANY * GREY_SIZE - 1;
    const char *whole = write_grey("whole.h5", MANY, -1);
    const uint64_t print = print_of(DATA_HDF5, whole, some);
    ck_assert(print_of(DATA_HDF5, whole, some + 1) != print);
    ck_assert(print_of(DATA_IDX, write_idx("w.idx", 0x803, MANY, 6, 6, MANY * GREY_SIZE, false),
                       some) == print);
    ck_assert(print_of(DATA_HDF5, write_grey("x.h5", MANY, 0), some) != print);
    ck_assert(print_of(DATA_HDF5, write_grey("y.h5", MANY, last), some) != print);
    /* Between the runs of neighbours that are read. */
    ck_assert(print_of(DATA_HDF5, write_grey("z.h5", MANY, 20 * GREY_SIZE), some) == print);
}
END_TEST

START_TEST(a_fingerprint_of_the_mixture_is_of_its_shape)
{
    uint64_t print, other;
    Dataset *dataset;
    Config config = config_of(DATA_MIXTURE, "", 8, 1);
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    assert_ok(dataset_fingerprint(dataset, DATASET_FINGERPRINT_BYTES, &print, &error));
    dataset_close(dataset);
    config.data.channels = 3;
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    assert_ok(dataset_fingerprint(dataset, DATASET_FINGERPRINT_BYTES, &other, &error));
    dataset_close(dataset);
    ck_assert(print != 0 && print != other);
}
END_TEST

START_TEST(wrong_hdf5_images_are_refused)
{
    Dataset *dataset;
    Config config = config_of(DATA_HDF5, write_hdf5("pictures", HDF5_UINT8, 6, 3), 6, 3);
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "pictures.h5:/images: is missing");
    write_hdf5("images", HDF5_FLOAT32, 6, 3);
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "pictures.h5:/images: expected 8-bit unsigned integers, found 32-bit "
                 "floating-point numbers");
    write_hdf5("images", HDF5_UINT8, 5, 3);
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "pictures.h5:/images: images are 5x6, but data.resolution is 6");
    write_hdf5("images", HDF5_UINT8, 6, 1);
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "pictures.h5:/images: images have 1 channels, but data.channels is 3");

    /* PyTorch's order, of these images and of others; and grey images without an axis for their channel. */
    Hdf5File *file;
    static uint8_t pixels[2 * 3 * 32 * 32];
    static const int64_t orders[2][4] = {{2, 3, 6, 6}, {2, 1, 32, 32}};
    for (int i = 0; i < 2; i++) {
        char expected[400];
        snprintf(expected, sizeof expected,
                 "pictures.h5:/images: expected shape [N, 6, 6, 3], found %s: it looks like [N, C, "
                 "H, W]; move its "
                 "channels to the end",
                 hdf5_shape_text(4, orders[i]).text);
        assert_ok(hdf5_create(&file, config.data.train, &error));
        assert_ok(hdf5_write(file, "images", HDF5_UINT8, 4, orders[i], pixels, &error));
        assert_ok(hdf5_commit(file, &error));
        assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error), expected);
    }
    assert_ok(hdf5_create(&file, config.data.train, &error));
    assert_ok(hdf5_write(file, "images", HDF5_UINT8, 3, (int64_t[]){2, 6, 6}, pixels, &error));
    assert_ok(hdf5_commit(file, &error));
    Config grey = config;
    grey.data.channels = 1;
    assert_fails(dataset_open(&dataset, &grey, DATASET_TRAIN, &error),
                 "found [2, 6, 6]: grey images have an axis for their one channel, too");

    uint8_t bytes[COLOUR_SIZE] = {0};
    assert_ok(hdf5_create(&file, config.data.train, &error));
    assert_ok(hdf5_write(file, "images", HDF5_UINT8, 3, (int64_t[]){1, 6, 6}, bytes, &error));
    assert_ok(hdf5_commit(file, &error));
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "expected shape [any, any, any, any], found [1, 6, 6]");
    assert_ok(hdf5_create(&file, config.data.train, &error));
    assert_ok(hdf5_write(file, "images", HDF5_UINT8, 4, (int64_t[]){0, 6, 6, 3}, bytes, &error));
    assert_ok(hdf5_commit(file, &error));
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error), "holds 0 images");
}
END_TEST

/* -- Formats ---------------------------------------------------------------------------------- */

START_TEST(every_value_of_data_format_has_a_format)
{
    for (int i = 0; i < DATA_FORMAT_COUNT; i++) {
        const DatasetFormat *format = dataset_formats[i];
        Config config;
        char text[256];
        snprintf(text, sizeof text, "data: {format: %s, train: a, test: b, channels: %d}",
                 data_formats[i].name, data_formats[i].channels ? data_formats[i].channels : 1);
        assert_ok(config_parse(&config, text, "x", NULL, 0, &error));
        ck_assert_int_eq(config.data.format, i);
        ck_assert(format->open && format->release && format->labels);
        const bool whole =
            i == DATA_IDX || i == DATA_CIFAR || i == DATA_NUMPY; /* dataset->pixels */
        ck_assert_int_eq((format->read_bytes != NULL) + (format->read_floats != NULL),
                         whole ? 0 : 1);
        ck_assert(!data_formats[i].has_files || (format->detects && format->labels_path));
        ck_assert_str_ne(data_formats[i].help, "");
    }
}
END_TEST

/* The content counts; the name only where the content is of no format. */
START_TEST(the_format_of_a_file_is_that_of_its_content)
{
    const char *idx = write_idx("images.h5", 0x803, 2, 6, 6, 2 * 36, true);
    ck_assert_int_eq(dataset_format_of_file(idx), DATA_IDX);
    ck_assert_int_eq(dataset_format_of_file(write_idx("plain.h5", 0x803, 2, 6, 6, 72, false)),
                     DATA_IDX);
    const char *hdf5 = write_hdf5("images", HDF5_UINT8, 6, 3), *renamed = scratch_path("train.idx");
    ck_assert_int_eq(dataset_format_of_file(hdf5), DATA_HDF5);
    ck_assert_int_eq(rename(hdf5, renamed), 0);
    ck_assert_int_eq(dataset_format_of_file(renamed), DATA_HDF5);
    scratch_write(scratch_path("labels.h5"), "\0\0\x08\x01\0\0\0\x01\x07", 9);
    ck_assert_int_eq(dataset_format_of_file(scratch_path("labels.h5")), DATA_IDX);

    const struct {
        const char *name;
        DataFormat format;
    } unknown[] = {{"text.h5", DATA_HDF5}, {"text.HDF5", DATA_HDF5}, {"text", DATA_IDX}};
    for (int i = 0; i < 3; i++) {
        const char *path = scratch_path(unknown[i].name);
        ck_assert_int_eq(dataset_format_of_file(path), unknown[i].format); /* not there */
        scratch_write(path, "text", 4);
        ck_assert_int_eq(dataset_format_of_file(path), unknown[i].format);
        scratch_write(path, "", 0);
        ck_assert_int_eq(dataset_format_of_file(path), unknown[i].format);
    }
}
END_TEST

/* Nobody waits for a writer of a named pipe. */
START_TEST(a_named_pipe_is_of_no_format)
{
    const char *path = scratch_path("pipe");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(dataset_format_of_file(path), DATA_IDX);
}
END_TEST

START_TEST(only_images_in_files_are_named_and_flipped)
{
    Config config = config_of(DATA_IDX, "", 6, 1);
    config.data.flip = true;
    ck_assert(!dataset_is_named(&config, DATASET_TRAIN) && dataset_is_flipped(&config));
    strcpy(config.data.test, "a");
    ck_assert(!dataset_is_named(&config, DATASET_TRAIN) && dataset_is_named(&config, DATASET_TEST));
    config.data.flip = false;
    ck_assert(!dataset_is_flipped(&config));
    config = config_of(DATA_MIXTURE, "", 6, 1);
    config.data.flip = true;
    ck_assert(dataset_is_named(&config, DATASET_TRAIN) && !dataset_is_flipped(&config));
}
END_TEST

/* -- Mixture ---------------------------------------------------------------------------------- */

START_TEST(the_mixture_is_a_fixed_data_set)
{
    enum { SIZE = 8 * 8 * 2 };
    Config config = config_of(DATA_MIXTURE, "", 8, 2);
    Dataset *train, *test;
    assert_ok(dataset_open(&train, &config, DATASET_TRAIN, &error));
    config.seed++;
    assert_ok(dataset_open(&test, &config, DATASET_TEST, &error));
    ck_assert_int_eq(dataset_count(train), 60000);
    ck_assert_int_eq(dataset_count(test), 10000);

    float images[3 * SIZE], again[3 * SIZE], other[SIZE];
    assert_ok(dataset_read(train, (int64_t[]){59999, 0, 5}, 3, images, &error));
    assert_ok(dataset_read(train, (int64_t[]){0, 5, 59999}, 3, again, &error));
    ck_assert_mem_eq(images, again + 2 * SIZE, SIZE * sizeof(float));
    ck_assert_mem_eq(images + SIZE, again, 2 * SIZE * sizeof(float));
    assert_ok(dataset_read(test, (int64_t[]){0}, 1, other, &error));
    for (int i = 0; i < 3; i++)
        ck_assert_mem_ne(other, images + i * SIZE, SIZE * sizeof(float));
    for (int i = 0; i < 3 * SIZE; i++)
        ck_assert(fabsf(images[i]) < 1.5f);
    dataset_close(train);
    dataset_close(test);

    config.seed += 12345; /* the run's seed doesn't change the data */
    assert_ok(dataset_open(&train, &config, DATASET_TRAIN, &error));
    assert_ok(dataset_read(train, (int64_t[]){59999, 0, 5}, 3, again, &error));
    ck_assert_mem_eq(images, again, sizeof images);
    assert_fails(dataset_read(train, (int64_t[]){60000}, 1, again, &error),
                 "mixture: there is no image 60000, only 0 to 59999");
    dataset_close(train);
}
END_TEST

SUITE_MAIN("dataset", data_sets_must_fit_the_configuration,
           fashion_mnist_is_read_where_it_is_installed, hdf5_images_are_read,
           a_large_hdf5_file_is_read_by_rows, a_fingerprint_is_of_the_images,
           a_fingerprint_of_a_large_data_set_reads_a_part,
           a_fingerprint_of_the_mixture_is_of_its_shape, wrong_hdf5_images_are_refused,
           every_value_of_data_format_has_a_format, the_format_of_a_file_is_that_of_its_content,
           a_named_pipe_is_of_no_format, only_images_in_files_are_named_and_flipped,
           the_mixture_is_a_fixed_data_set)
