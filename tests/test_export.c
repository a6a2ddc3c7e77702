/* Tests of samples in the formats of other programs: NumPy archives, read back byte by byte, and
 * directories of PNG files. */
#include "tests/suite.h"

#include "base/pixel.h"
#include "picture/npz.h"
#include "picture/picture_directory.h"
#include "tests/expect.h"
#include "tests/scratch.h"

#include <png.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <zlib.h>

static Error error; /* of the last call */

enum { SIDE = 3, IMAGES = 70, PIXELS = SIDE * SIDE }; /* more images than are converted at a time */

/* Any values of which each byte is hit, and some beyond the ends. */
static float value_at(size_t i)
{
    return (float)(i * 37 % 263) / 128.0f - 1.02f;
}

static void make_images(float *images, int channels)
{
    for (size_t i = 0; i < (size_t)(IMAGES * PIXELS * channels); i++)
        images[i] = value_at(i);
}

static const char *write_npz(const char *name, int channels)
{
    static float images[IMAGES * PIXELS * 4];
    const char *path = scratch_path(name);
    NpzWriter *writer = NULL;
    make_images(images, channels);
    assert_ok(npz_create(&writer, path, IMAGES, SIDE, channels, &error));
    assert_ok(npz_append(writer, images, 5, &error)); /* in two parts */
    assert_ok(npz_append(writer, images + 5 * PIXELS * channels, IMAGES - 5, &error));
    assert_ok(npz_commit(writer, &error));
    return path;
}

/* -- Reading, from the formats' descriptions --------------------------------------------------- */

static unsigned get(const char *bytes, size_t at, int size)
{
    unsigned value = 0;
    for (int i = size - 1; i >= 0; i--)
        value = value << 8 | (uint8_t)bytes[at + (size_t)i];
    return value;
}

/* Checks the archive and gives its one member. */
static const char *open_member(const char *zip, size_t size, size_t *member_size)
{
    const size_t end = size - 22, start = get(zip, end + 16, 4);
    ck_assert_uint_eq(get(zip, end, 4), 0x06054b50);
    ck_assert_uint_eq(get(zip, end + 8, 2), 1); /* members here, and in all */
    ck_assert_uint_eq(get(zip, end + 10, 2), 1);
    ck_assert_uint_eq(start + get(zip, end + 12, 4), end);

    ck_assert_uint_eq(get(zip, start, 4), 0x02014b50);
    const unsigned checksum = get(zip, start + 16, 4);
    *member_size = get(zip, start + 24, 4);
    ck_assert_uint_eq(get(zip, start + 10, 2), 0); /* stored */
    ck_assert_uint_eq(get(zip, start + 20, 4), *member_size);
    ck_assert_uint_eq(get(zip, start + 28, 2), 9);
    ck_assert_mem_eq(zip + start + 46, "arr_0.npy", 9);
    ck_assert_uint_eq(get(zip, end + 20, 2),
                      0); /* no comment: some readers look for the end here */
    ck_assert_uint_eq(get(zip, start + 42, 4), 0); /* where its own header is */

    ck_assert_uint_eq(get(zip, 0, 4), 0x04034b50);
    ck_assert_mem_eq(zip + 4, zip + start + 6, 24); /* both say the same */
    ck_assert_uint_eq(get(zip, 28, 2), 0);
    ck_assert_mem_eq(zip + 30, "arr_0.npy", 9);
    ck_assert_uint_eq(39 + *member_size, start);
    ck_assert_uint_eq(crc32(0, (const Bytef *)zip + 39, (uInt)*member_size), checksum);
    return zip + 39;
}

static void check_npz(int channels, int stored)
{
    size_t size, member_size;
    char *zip = scratch_read(write_npz("a.npz", channels), &size), expected[128];
    const char *npy = open_member(zip, size, &member_size);
    ck_assert_mem_eq(npy, "\x93NUMPY\x01\x00", 8);
    const size_t header = 10 + get(npy, 8, 2);
    ck_assert_uint_eq(header % 64, 0);
    ck_assert_int_eq(npy[header - 1], '\n');
    snprintf(expected, sizeof expected,
             "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d, %d, %d), } ", IMAGES, SIDE,
             SIDE, stored);
    ck_assert_mem_eq(npy + 10, expected, strlen(expected));
    ck_assert_uint_eq(member_size, header + (size_t)(IMAGES * PIXELS * stored));
    for (size_t p = 0; p < (size_t)IMAGES * PIXELS; p++)
        for (int c = 0; c < stored; c++) {
            const size_t from = channels == 1 ? p : p * (size_t)channels + (size_t)c;
            ck_assert_uint_eq((uint8_t)npy[header + p * (size_t)stored + (size_t)c],
                              byte_of_pixel(value_at(from)));
        }
    free(zip);
}

START_TEST(an_npz_has_one_array_of_bytes)
{
    check_npz(3, 3);
    check_npz(1, 3); /* grey becomes three equal channels */
    check_npz(4, 4);
}
END_TEST

START_TEST(equal_images_make_equal_archives)
{
    size_t size;
    char *first = scratch_read(write_npz("a.npz", 3), &size);
    ck_assert(scratch_same_bytes(write_npz("b.npz", 3), first, size));
    ck_assert_int_eq(scratch_count(), 2);
    free(first);
}
END_TEST

START_TEST(an_archive_that_is_given_up_leaves_what_was_there)
{
    static float images[IMAGES * PIXELS];
    const char *path = scratch_path("a.npz");
    NpzWriter *writer = NULL;
    assert_ok(npz_create(&writer, path, 1, SIDE, 1, &error));
    assert_ok(npz_append(writer, images, 1, &error));
    assert_ok(npz_commit(writer, &error));
    size_t size;
    char *before = scratch_read(path, &size);
    assert_ok(npz_create(&writer, path, IMAGES, SIDE, 1, &error));
    assert_ok(npz_append(writer, images, 3, &error));
    npz_discard(writer);
    ck_assert(scratch_same_bytes(path, before, size));
    free(before);
    ck_assert_int_eq(scratch_count(), 1);
    assert_fails(
        npz_create(&writer, path, 1 << 20, 64, 3, &error),
        "a.npz: 1048576 images are more than the 4 GiB of an .npz; expected at most 349525");
    assert_fails_as(npz_create(&writer, scratch_path("no/a.npz"), 1, SIDE, 1, &error),
                    ERROR_RUNTIME, "no/a.npz: cannot be written");
    ck_assert_ptr_null(writer);
}
END_TEST

/* The limit on the size of files stands for a full disk. */
START_TEST(a_full_disk_is_an_error_and_leaves_nothing)
{
    static float images[IMAGES * PIXELS];
    const char *path = scratch_path("a.npz");
    NpzWriter *writer = NULL;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000});
    assert_ok(npz_create(&writer, path, IMAGES, SIDE, 1, &error));
    assert_fails_as(npz_append(writer, images, IMAGES, &error), ERROR_RUNTIME,
                    "a.npz: cannot be written: File too large");
    npz_discard(writer);
    ck_assert_int_eq(scratch_count(), 0);
}
END_TEST

/* -- Directories ------------------------------------------------------------------------------ */

static void check_picture(const char *path, const float *image, int channels)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    uint8_t pixels[PIXELS * 3];
    ck_assert_msg(png_image_begin_read_from_file(&png, path), "%s: %s", path, png.message);
    ck_assert_uint_eq(png.width, SIDE);
    ck_assert_uint_eq(png.height, SIDE);
    ck_assert_uint_eq(png.format, channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY);
    ck_assert(png_image_finish_read(&png, NULL, pixels, 0, NULL));
    for (int i = 0; i < PIXELS * channels; i++)
        ck_assert_uint_eq(pixels[i], byte_of_pixel(image[i]));
}

static int count_entries(const char *path)
{
    int count = -2;
    DIR *entries = opendir(path);
    ck_assert_ptr_nonnull(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

START_TEST(a_directory_has_a_picture_for_each_image)
{
    static float images[IMAGES * PIXELS * 3];
    PictureDirectory *directory = NULL;
    const char *path = scratch_path("pictures");
    make_images(images, 3);
    mkdir(path, 0777); /* an empty one gives its name */
    assert_ok(picture_directory_begin(&directory, scratch_path("pictures//"), SIDE, 3, &error));
    assert_ok(picture_directory_add(directory, NULL, 0, images, 2, &error));
    assert_ok(picture_directory_add(directory, NULL, 2, images + 2 * PIXELS * 3, 1, &error));
    ck_assert_int_eq(count_entries(path), 0); /* not before the end */
    assert_ok(picture_directory_commit(directory, &error));
    ck_assert_int_eq(count_entries(path), 3);
    check_picture(scratch_path("pictures/000000.png"), images, 3);
    check_picture(scratch_path("pictures/000002.png"), images + 2 * PIXELS * 3, 3);
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

START_TEST(groups_are_directories_of_their_own)
{
    static float images[IMAGES * PIXELS];
    PictureDirectory *directory = NULL;
    make_images(images, 1);
    assert_ok(picture_directory_begin(&directory, scratch_path("p"), SIDE, 1, &error));
    assert_ok(picture_directory_add(directory, "sn_10", 0, images, 1, &error));
    assert_ok(picture_directory_add(directory, "npr_10", 0, images + PIXELS, 1, &error));
    assert_ok(picture_directory_add(directory, "sn_10", 1, images + 2 * PIXELS, 1, &error));
    assert_ok(picture_directory_commit(directory, &error));
    check_picture(scratch_path("p/sn_10/000001.png"), images + 2 * PIXELS, 1);
    check_picture(scratch_path("p/npr_10/000000.png"), images + PIXELS, 1);
    ck_assert_int_eq(count_entries(scratch_path("p")), 2);
}
END_TEST

START_TEST(a_directory_with_anything_in_it_is_refused)
{
    PictureDirectory *directory = NULL;
    mkdir(scratch_path("full"), 0777);
    scratch_write(scratch_path("full/notes"), "mine", 4);
    scratch_write(scratch_path("file"), "mine", 4);
    assert_fails(picture_directory_begin(&directory, scratch_path("full/"), SIDE, 1, &error),
                 "full/: is not empty");
    assert_fails(picture_directory_begin(&directory, scratch_path("file/"), SIDE, 1, &error),
                 "file: is there and is no directory");
    assert_fails(picture_directory_begin(&directory, "/", SIDE, 1, &error), "expected the name of");
    assert_fails(picture_directory_begin(&directory, "./", SIDE, 1, &error),
                 "./: expected the name");
    assert_fails(picture_directory_begin(&directory, scratch_path("new/"), SIDE, 2, &error),
                 "a PNG shows images of 1 or 3 channels");
    assert_fails_as(picture_directory_begin(&directory, scratch_path("no/new/"), SIDE, 1, &error),
                    ERROR_RUNTIME, "no/new: cannot be written: No such file or directory");
    ck_assert_int_eq(scratch_count(), 2);
}
END_TEST

START_TEST(a_directory_that_is_given_up_leaves_nothing)
{
    static float images[IMAGES * PIXELS];
    PictureDirectory *directory = NULL;
    assert_ok(picture_directory_begin(&directory, scratch_path("p"), SIDE, 1, &error));
    assert_ok(picture_directory_add(directory, "a", 0, images, 2, &error));
    assert_ok(picture_directory_add(directory, NULL, 0, images, 2, &error));
    picture_directory_discard(directory);
    ck_assert_int_eq(scratch_count(), 0);
}
END_TEST

/* What was put there while the samples were drawn stays, and so do the samples. */
START_TEST(a_name_that_was_taken_meanwhile_loses_nothing)
{
    static float images[IMAGES * PIXELS];
    PictureDirectory *directory = NULL;
    char kept[512];
    assert_ok(picture_directory_begin(&directory, scratch_path("p"), SIDE, 1, &error));
    assert_ok(picture_directory_add(directory, NULL, 0, images, 2, &error));
    mkdir(scratch_path("p"), 0777);
    scratch_write(scratch_path("p/notes"), "mine", 4);
    assert_fails_as(picture_directory_commit(directory, &error), ERROR_RUNTIME,
                    "p: cannot be written: Directory not empty; the pictures are in ");
    snprintf(kept, sizeof kept, "%s", strstr(error.message, "are in ") + strlen("are in "));
    ck_assert_int_eq(count_entries(kept), 2);
    ck_assert(scratch_same_bytes(scratch_path("p/notes"), "mine", 4));
}
END_TEST

SUITE_MAIN("export", an_npz_has_one_array_of_bytes, equal_images_make_equal_archives,
           an_archive_that_is_given_up_leaves_what_was_there,
           a_full_disk_is_an_error_and_leaves_nothing, a_directory_has_a_picture_for_each_image,
           groups_are_directories_of_their_own, a_directory_with_anything_in_it_is_refused,
           a_directory_that_is_given_up_leaves_nothing,
           a_name_that_was_taken_meanwhile_loses_nothing)
