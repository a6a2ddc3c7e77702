/* Tests of IDX files: plain and compressed ones, and those that are refused. */
#include "data/dataset.h"
#include "data/idx.h"

#include "tests/data_files.h"
#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static Error error; /* of the last call */

START_TEST(idx_is_read_plain_and_compressed)
{
    for (int compressed = 0; compressed < 2; compressed++) {
        Config config =
            config_of(DATA_IDX, write_idx("images", 0x803, 90, 5, 5, 90 * 25, compressed), 5, 1);
        Dataset *dataset;
        assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
        ck_assert_int_eq(dataset_count(dataset), 90);
        const int64_t indices[4] = {89, 0, 17, 17};
        float images[4 * 25];
        assert_ok(dataset_read(dataset, indices, 4, images, &error));
        check_images(images, indices, 4, 25);
        ck_assert(scaled(0) == -1 && scaled(255) == 1);
        assert_fails(dataset_read(dataset, (int64_t[]){90}, 1, images, &error),
                     "images: there is no image 90, only 0 to 89");
        assert_fails(dataset_read(dataset, (int64_t[]){-1}, 1, images, &error), "no image -1");
        dataset_close(dataset);
    }
}
END_TEST

/* More than the reader allocates at first: the memory must grow. */
START_TEST(a_large_compressed_idx_is_read_in_steps)
{
    enum { COUNT = 9000, SIZE = 28 * 28 };
    IdxImages images;
    assert_ok(idx_read(&images,
                       write_idx("images.gz", 0x803, COUNT, 28, 28, (size_t)COUNT * SIZE, true), 28,
                       &error));
    ck_assert_int_eq(images.count, COUNT);
    size_t wrong = 0;
    for (size_t i = 0; i < (size_t)COUNT * SIZE; i++)
        wrong += images.pixels[i] != pattern(i);
    ck_assert_uint_eq(wrong, 0);
    idx_free(&images);
}
END_TEST

START_TEST(wrong_idx_files_are_refused)
{
    static const struct {
        uint32_t magic, count, height, width;
        size_t pixels;
        const char *text;
    } cases[] = {
        {0x801, 100, 5, 5, 250,
         "x: is an IDX file of labels (magic 0x00000801), expected one of images (0x00000803)"},
        {0x802, 10, 5, 5, 250,
         "x: is no IDX file of images: its magic is 0x00000802, expected 0x00000803"},
        {0x803, 10, 28, 28, 7840, "x: images are 28x28, but data.resolution is 5"},
        {0x803, 10, 5, 6, 300, "x: images are 5x6, but data.resolution is 5"},
        {0x803, 10, 6, 5, 300, "x: images are 6x5, but data.resolution is 5"},
        {0x803, 0, 5, 5, 0, "x: holds no images"},
        {0x803, 10, 5, 5, 249, "x: is truncated, its header announces 10 images, 9 are there"},
        {0x803, 10, 5, 5, 0, "x: is truncated, its header announces 10 images, 0 are there"},
        {0x803, 0xffffffff, 5, 5, 250, "announces 4294967295 images, 10 are there"},
        {0x803, 0xffffffff, 5, 5, 3000000, "announces 4294967295 images, 120000 are there"},
        {0x803, 0xffffffff, 0xffffffff, 0xffffffff, 250, "x: images are 4294967295x4294967295"},
        {0x803, 10, 5, 5, 251, "x: has data after the 10 images that its header announces"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int compressed = 0; compressed < 2; compressed++) {
            IdxImages images;
            const char *path = write_idx("x", cases[i].magic, cases[i].count, cases[i].height,
                                         cases[i].width, cases[i].pixels, compressed);
            assert_fails(idx_read(&images, path, 5, &error), cases[i].text);
            ck_assert_ptr_null(images.pixels);
        }
}
END_TEST

START_TEST(broken_idx_files_are_refused)
{
    IdxImages images;
    const char *path = scratch_path("x");
    scratch_write(path, "", 0);
    assert_fails(idx_read(&images, path, 5, &error), "x: is empty, expected an IDX file of images");
    scratch_write(path, "\0\0\010\003\0\0\0\001", 8);
    assert_fails(idx_read(&images, path, 5, &error),
                 "x: is truncated, it has 8 bytes where an IDX header has 16");
    scratch_write(path, "\0\0", 2);
    assert_fails(idx_read(&images, path, 5, &error), "it has 2 bytes where");
    scratch_write(path, "data:\n  train: x\n", 17);
    assert_fails(idx_read(&images, path, 5, &error), "its magic is 0x64617461");
    assert_fails(idx_read(&images, scratch_path("none"), 5, &error), "none: no such file");
    assert_fails(idx_read(&images, "tests", 5, &error), "tests: is a directory");

    write_idx("x", 0x803, 100, 5, 5, 2500, true);
    size_t size;
    char *bytes = scratch_read(path, &size);
    for (size_t cut = 11; cut < size; cut += 7) {
        scratch_write(path, bytes, cut);
        assert_fails(idx_read(&images, path, 5, &error), "x: is truncated");
    }
    bytes[size - 6] ^= 1; /* the checksum */
    scratch_write(path, bytes, size);
    assert_fails(idx_read(&images, path, 5, &error),
                 "x: has damaged gzip data (incorrect data check)");
    bytes[size / 2] ^= 0x55;
    scratch_write(path, bytes, size);
    assert_fails(idx_read(&images, path, 5, &error), "x: ");
    free(bytes);
}
END_TEST

SUITE_MAIN("idx", idx_is_read_plain_and_compressed, a_large_compressed_idx_is_read_in_steps,
           wrong_idx_files_are_refused, broken_idx_files_are_refused)
