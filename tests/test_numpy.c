/* Tests of NumPy's files. Those in tests/corpus/numpy were written by NumPy 1.24; others are made
 * here, byte by byte. */
#include "base/memory.h"
#include "base/note.h"
#include "data/dataset.h"
#include "data/labels.h"
#include "data/npy_header.h"
#include "data/numpy.h"
#include "picture/npz.h"

#include "tests/archive_files.h"
#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static Error error; /* of the last call */

enum { COUNT = 3, SIDE = 4, CHANNELS = 2, SIZE = SIDE * SIDE * CHANNELS };

#define CORPUS "tests/corpus/numpy/"

/* Byte i of the images that NumPy wrote. */
static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 37 + i / 7);
}

static void check_pixels(const char *path, DataFloats floats, int64_t most_rounded)
{
    NumpyImages images;
    assert_ok(numpy_read(&images, path, SIDE, CHANNELS, floats, &error));
    ck_assert_int_eq(images.count, COUNT);
    for (size_t i = 0; i < COUNT * SIZE; i++)
        ck_assert_uint_eq(images.pixels[i], pattern(i));
    ck_assert_int_le(images.rounded, most_rounded);
    numpy_free(&images);
}

static void refuses(const char *path, DataFloats floats, const char *text)
{
    NumpyImages images;
    assert_fails(numpy_read(&images, path, SIDE, CHANNELS, floats, &error), text);
    ck_assert_ptr_null(images.pixels);
}

/* -- Files of NumPy's ------------------------------------------------------------------------- */

START_TEST(files_of_numpy_hold_the_same_images)
{
    check_pixels(CORPUS "bytes.npy", FLOATS_REFUSE, 0);
    check_pixels(CORPUS "version2.npy", FLOATS_REFUSE, 0);
    check_pixels(CORPUS "guided.npz", FLOATS_REFUSE, 0);
    check_pixels(CORPUS "named.npz", FLOATS_UNIT, 0);
    check_pixels(CORPUS "first.npy", FLOATS_SIGNED, 0);
    check_pixels(CORPUS "half.npz", FLOATS_UNIT, COUNT * SIZE);
}
END_TEST

START_TEST(floats_are_refused_unless_their_range_is_said)
{
    refuses(CORPUS "named.npz", FLOATS_REFUSE,
            "named.npz:images: holds floats (<f4); say by data.floats what they range over: unit "
            "(0 to 1) or signed (-1 to 1)");
    refuses(CORPUS "first.npy", FLOATS_UNIT,
            "first.npy: image 0 has the value -1, expected 0 to 1");
    check_pixels(CORPUS "bytes.npy", FLOATS_SIGNED, 0); /* bytes are bytes */
}
END_TEST

START_TEST(arrays_in_the_order_of_fortran_are_refused)
{
    refuses(CORPUS "fortran.npy", FLOATS_REFUSE, "fortran.npy: is stored in Fortran's order");
}
END_TEST

START_TEST(labels_lie_beside_the_images)
{
    static const char *const paths[] = {CORPUS "guided.npz", CORPUS "named.npz", CORPUS "half.npz"};
    static const int64_t expected[COUNT] = {2, 0, 1};
    for (int i = 0; i < 3; i++) {
        int64_t *labels, count;
        assert_ok(numpy_read_labels(&labels, &count, paths[i], &error));
        ck_assert_int_eq(count, COUNT);
        ck_assert_mem_eq(labels, expected, sizeof expected);
        memory_free(labels);
    }
}
END_TEST

static Config config_of(const char *train, int channels)
{
    Config config;
    config_defaults(&config);
    config.data.resolution = SIDE;
    config.data.channels = channels;
    snprintf(config.data.train, sizeof config.data.train, "%s", train);
    memset(config.data.test, 0, sizeof config.data.test);
    return config;
}

START_TEST(a_data_set_finds_the_format_and_the_labels)
{
    Config config = config_of(CORPUS "guided.npz", CHANNELS);
    Dataset *dataset;
    Labels labels;
    ck_assert_int_eq(dataset_format_of_file(config.data.train), DATA_NUMPY);
    ck_assert_int_eq(dataset_format_of_file(CORPUS "bytes.npy"), DATA_NUMPY);
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    assert_ok(labels_read(&labels, dataset, NULL, "--labels", 3, &error));
    ck_assert_int_eq(labels.values[0], 2);
    labels_free(&labels);
    dataset_close(dataset);
    config = config_of(CORPUS "bytes.npy", CHANNELS);
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    assert_fails(labels_read(&labels, dataset, NULL, "--labels", 3, &error),
                 "bytes.npy: its labels are not known");
    assert_ok(labels_read(&labels, dataset, CORPUS "guided.npz", "--labels", 3, &error));
    labels_free(&labels);
    dataset_close(dataset);
}
END_TEST

static char last_note[4096];

static void keep_note(const char *line)
{
    snprintf(last_note, sizeof last_note, "%s", line);
}

START_TEST(a_note_counts_numbers_between_bytes)
{
    Config config = config_of(CORPUS "half.npz", CHANNELS);
    config.data.floats = FLOATS_UNIT;
    Dataset *dataset;
    note_show(keep_note);
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    dataset_close(dataset);
    note_show(NULL);
    ck_assert_ptr_nonnull(strstr(last_note, "of its numbers lie between two bytes"));
}
END_TEST

/* The archive that infer sample writes. */
START_TEST(samples_of_varhead_are_read_back)
{
    float samples[2 * SIDE * SIDE * 3];
    for (int i = 0; i < 2 * SIDE * SIDE * 3; i++)
        samples[i] = 2.0f * (float)(i % 256) / 255.0f - 1.0f;
    NpzWriter *writer;
    NumpyImages images;
    const char *path = scratch_path("samples.npz");
    assert_ok(npz_create(&writer, path, 2, SIDE, 3, &error));
    assert_ok(npz_append(writer, samples, 2, &error));
    assert_ok(npz_commit(writer, &error));
    assert_ok(numpy_read(&images, path, SIDE, 3, FLOATS_REFUSE, &error));
    for (int i = 0; i < 2 * SIDE * SIDE * 3; i++)
        ck_assert_int_eq(images.pixels[i], i);
    numpy_free(&images);
}
END_TEST

/* -- Made files -------------------------------------------------------------------------------- */

/* bytes := an .npy with that header and `size` bytes of pattern. Returns their number. */
static size_t make_npy(uint8_t *bytes, const char *header, size_t size)
{
    const size_t length = strlen(header);
    memcpy(bytes, "\x93NUMPY\1\0", 8);
    bytes[8] = (uint8_t)(length & 255);
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, header, length);
    for (size_t i = 0; i < size; i++)
        bytes[10 + length + i] = pattern(i);
    return 10 + length + size;
}

static const char *write_npy(const char *header, size_t size)
{
    static uint8_t bytes[1 << 14];
    const char *path = scratch_path("x.npy");
    scratch_write(path, bytes, make_npy(bytes, header, size));
    return path;
}

#define HEADER(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }\n"

START_TEST(headers_are_read_strictly)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "{'descr': '|u1', 'fortran_order': False}",
        "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (3,)}",
        HEADER("|u1", "(3, 4"),
        HEADER("|u1", "(3 4)"),
        HEADER("|u1", "(-3,)"),
        HEADER("|u1", "(9999999999999999,)"),
        HEADER("|u1", "(1,1,1,1,1,1,1,1,1)"),
        HEADER("|O", "(3,)"),
        HEADER("<c8", "(3,)"),
        HEADER("<f16", "(3,)"),
        HEADER("u1", "(3,)"),
        HEADER("<u", "(3,)"),
        HEADER("<U5", "(3,)"),
        HEADER("", "(3,)"),
        "{'descr': '|u1', 'fortran_order': 0, 'shape': (3,)}",
    };
    NpyHeader header;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        ck_assert_msg(!npy_header_read(&header, wrong[i]), "%s", wrong[i]);
    ck_assert(npy_header_read(&header, HEADER(">f4", "(3L, 4L, 5L)")));
    ck_assert(header.kind == 'f' && header.size == 4 && header.big_endian && header.rank == 3);
    ck_assert_str_eq(npy_shape_text(&header).text, "[3, 4, 5]");
    ck_assert(npy_header_read(&header, HEADER("|b1", "()")) && header.rank == 0);
}
END_TEST

START_TEST(shapes_are_those_of_the_configuration)
{
    NumpyImages images;
    check_pixels(write_npy(HEADER("|u1", "(3, 4, 4, 2)"), COUNT * SIZE), FLOATS_REFUSE, 0);
    refuses(write_npy(HEADER("|u1", "(3, 4, 4, 3)"), 144), FLOATS_REFUSE,
            "x.npy: has the shape [3, 4, 4, 3], expected [N, 4, 4, 2] or [N, 2, 4, 4]");
    refuses(write_npy(HEADER("|u1", "(0, 4, 4, 2)"), 0), FLOATS_REFUSE, "x.npy: holds 0 images");
    refuses(write_npy(HEADER("|i1", "(3, 4, 4, 2)"), 96), FLOATS_REFUSE,
            "x.npy: holds numbers of the type |i1, expected uint8 or floats");
    /* Grey images need no axis for their channel. */
    assert_ok(numpy_read(&images, write_npy(HEADER("|u1", "(6, 4, 4)"), 96), 4, 1, FLOATS_REFUSE,
                         &error));
    ck_assert_int_eq(images.count, 6);
    ck_assert_uint_eq(images.pixels[95], pattern(95));
    numpy_free(&images);
    /* Channels first. */
    assert_ok(numpy_read(&images, write_npy(HEADER("|u1", "(3, 2, 4, 4)"), 96), 4, 2, FLOATS_REFUSE,
                         &error));
    for (int i = 0; i < COUNT; i++)
        for (int p = 0; p < 16; p++)
            for (int c = 0; c < 2; c++)
                ck_assert_uint_eq(images.pixels[(i * 16 + p) * 2 + c],
                                  pattern((size_t)((i * 2 + c) * 16 + p)));
    numpy_free(&images);
}
END_TEST

START_TEST(damaged_files_are_refused)
{
    refuses(write_npy(HEADER("|u1", "(3, 4, 4, 2)"), 95), FLOATS_REFUSE,
            "x.npy: is truncated, its header announces 3 images, 2 are there");
    refuses(write_npy(HEADER("|u1", "(4000000000, 4, 4, 2)"), 95), FLOATS_REFUSE, "2 are there");
    refuses(write_npy(HEADER("|u1", "(3, 4, 4, 2)"), 97), FLOATS_REFUSE,
            "x.npy: has data behind its array");
    refuses(write_npy("{}", 96), FLOATS_REFUSE, "x.npy: has no header of an array of numbers");
    scratch_write(scratch_path("y.npy"), "\x93NUMPY", 6);
    refuses(scratch_path("y.npy"), FLOATS_REFUSE, "y.npy: has no header");
    refuses(scratch_path("none.npy"), FLOATS_REFUSE, "none.npy: no such file");
    size_t size;
    char *bytes = scratch_read(CORPUS "guided.npz", &size);
    bytes[200] ^= 1; /* a pixel, which the checksum covers */
    scratch_write(scratch_path("z.npz"), bytes, size);
    free(bytes);
    NumpyImages images;
    ck_assert(!numpy_read(&images, scratch_path("z.npz"), SIDE, CHANNELS, FLOATS_REFUSE, &error));
    ck_assert_int_eq(error.kind, ERROR_INPUT);
}
END_TEST

START_TEST(floats_that_are_no_numbers_are_refused)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 1.01f, -0.01f, 1e30f};
    for (int i = 0; i < 6; i++) {
        uint8_t bytes[1024];
        float pixels[SIZE] = {0};
        pixels[5] = values[i];
        const size_t size = make_npy(bytes, HEADER("<f4", "(1, 4, 4, 2)"), 0);
        memcpy(bytes + size, pixels, sizeof pixels);
        scratch_write(scratch_path("f.npy"), bytes, size + sizeof pixels);
        refuses(scratch_path("f.npy"), FLOATS_UNIT, "f.npy: image 0 has the value ");
    }
}
END_TEST

START_TEST(an_archive_must_say_which_array_is_meant)
{
    uint8_t images[512], labels[256];
    const size_t size = make_npy(images, HEADER("|u1", "(3, 4, 4, 2)"), 96);
    const size_t label_size = make_npy(labels, HEADER("|u1", "(3,)"), 3);
    const char *path = scratch_path("a.npz");
    const ArchiveFile two[] = {{"a.npy", images, size, NULL}, {"b.npy", images, size, NULL}};
    archive_write_files(scratch_path("a.zip"), two, 2);
    ck_assert_int_eq(rename(scratch_path("a.zip"), path), 0);
    refuses(path, FLOATS_REFUSE,
            "a.npz: has several arrays that could be its images; expected one named images");
    const ArchiveFile none[] = {{"b.npy", labels, label_size, NULL}};
    archive_write_files(scratch_path("b.zip"), none, 1);
    refuses(scratch_path("b.zip"), FLOATS_REFUSE,
            "b.zip: has no array of images; expected one named images or arr_0");
    const ArchiveFile named[] = {two[0], {"images.npy", images, size, NULL}, two[1]};
    archive_write_files(scratch_path("c.zip"), named, 3);
    check_pixels(scratch_path("c.zip"), FLOATS_REFUSE, 0);

    /* However many others are there. */
    ArchiveFile many[72];
    char names[70][16];
    for (int i = 0; i < 70; i++) {
        snprintf(names[i], sizeof names[i], "%d.npy", i);
        many[i] = (ArchiveFile){names[i], labels, label_size, NULL};
    }
    many[70] = named[0];
    many[71] = named[1];
    archive_write_files(scratch_path("d.zip"), many, 72);
    check_pixels(scratch_path("d.zip"), FLOATS_REFUSE, 0);
}
END_TEST

SUITE_MAIN("numpy", files_of_numpy_hold_the_same_images,
           floats_are_refused_unless_their_range_is_said,
           arrays_in_the_order_of_fortran_are_refused, labels_lie_beside_the_images,
           a_data_set_finds_the_format_and_the_labels, a_note_counts_numbers_between_bytes,
           samples_of_varhead_are_read_back, headers_are_read_strictly,
           shapes_are_those_of_the_configuration, damaged_files_are_refused,
           floats_that_are_no_numbers_are_refused, an_archive_must_say_which_array_is_meant)
