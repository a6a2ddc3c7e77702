/* Tests of the kinds of files: how a kind is recognised, and which file may replace which. (The
 * same by whole commands: tests/cli/ownership.sh.) */
#include "hdf5/hdf5_file.h"
#include "io/file_kind.h"
#include "picture/npz.h"
#include "picture/png.h"
#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <png.h>

static Error error;

/* A file of the kind, as its writer would make it. */
static void make(const char *path, FileKind kind)
{
    if (file_kind_format(kind)) {
        Hdf5File *file = NULL;
        assert_ok(hdf5_create(&file, path, &error));
        assert_ok(hdf5_write_attribute_string(file, "/", "format", file_kind_format(kind), &error));
        assert_ok(hdf5_commit(file, &error));
    } else if (kind == FILE_PICTURE) {
        Canvas canvas = {0};
        assert_ok(canvas_make(&canvas, 3, 2, 1, 0, &error));
        assert_ok(canvas_write_png(&canvas, path, &error));
        canvas_free(&canvas);
    } else if (kind == FILE_ARCHIVE) {
        static const float image[4] = {0};
        NpzWriter *writer = NULL;
        assert_ok(npz_create(&writer, path, 1, 2, 1, &error));
        assert_ok(npz_append(writer, image, 1, &error));
        assert_ok(npz_commit(writer, &error));
    } else {
        FILE *file = fopen(path, "w");
        const char *ending = file_kind_ending(kind);
        fprintf(file, "%srest\n%s", file_kind_beginning(kind), ending ? ending : "");
        fclose(file);
    }
}

START_TEST(each_kind_is_replaced_by_its_own_alone)
{
    const char *path = scratch_path("a");
    for (int there = 0; there < FILE_KINDS; there++) {
        make(path, (FileKind)there);
        for (int kind = 0; kind < FILE_KINDS; kind++)
            if (kind == there)
                assert_ok(file_kind_allows(path, kind, &error));
            else
                assert_fails(file_kind_allows(path, kind, &error), file_kind_name((FileKind)there));
        ck_assert_int_eq(unlink(path), 0);
    }
}
END_TEST

static void refused_by_all(const char *what)
{
    for (int kind = 0; kind < FILE_KINDS; kind++)
        assert_fails(file_kind_allows(scratch_path("a"), kind, &error), what);
}

START_TEST(what_others_have_made_is_replaced_by_nothing)
{
    const char *path = scratch_path("a");
    scratch_write(path, "name: mine\n", 11);
    refused_by_all("a: is a text that begins with \"name: mine\", which would be lost");
    scratch_write(path, "\0\0\10\3", 4); /* IDX */
    refused_by_all("a: is a file that varhead has not written, which would be lost");
    scratch_write(path, "PK\3\4 of another program", 23);
    refused_by_all("a: is a file that varhead has not written");
    scratch_write(path, "\x89PNG\r\n\x1a\n of another", 19);
    refused_by_all("a: is a picture that varhead has not written");
    scratch_write(path, "<?xml version=\"1.0\"?><svg/>", 27);
    refused_by_all("a: is a text that begins with \"<?xml");

    /* Almost a table: a column more. */
    FILE *file = fopen(path, "w");
    const char *line = file_kind_beginning(FILE_BOUNDS);
    fprintf(file, "%.*s,more\n", (int)strlen(line) - 1, line);
    fclose(file);
    refused_by_all("a: is a text that begins with \"variance,");

    Hdf5File *hdf5 = NULL;
    ck_assert_int_eq(unlink(path), 0);
    assert_ok(hdf5_create(&hdf5, path, &error));
    assert_ok(hdf5_write_string(hdf5, "images", "some", &error));
    assert_ok(hdf5_commit(hdf5, &error));
    refused_by_all("a: is an HDF5 file that varhead has not written");
    assert_ok(hdf5_create(&hdf5, path, &error));
    assert_ok(hdf5_write_attribute_string(hdf5, "/", "format", "another", &error));
    assert_ok(hdf5_commit(hdf5, &error));
    refused_by_all("a: is an HDF5 file that varhead has not written");
}
END_TEST

START_TEST(nothing_and_empty_files_are_free)
{
    for (int kind = 0; kind < FILE_KINDS; kind++) {
        assert_ok(file_kind_allows(scratch_path("a"), kind, &error));
        assert_ok(file_kind_allows(scratch_path("none/a"), kind, &error));
        scratch_write(scratch_path("empty"), "", 0);
        assert_ok(file_kind_allows(scratch_path("empty"), kind, &error));
    }
}
END_TEST

/* A training puts a good one in the place of a checkpoint that was cut off. */
START_TEST(a_damaged_hdf5_file_is_free_for_checkpoints_alone)
{
    const char *path = scratch_path("a");
    make(path, FILE_SAMPLES);
    ck_assert_int_eq(truncate(path, 60), 0);
    for (int kind = 0; kind < FILE_KINDS; kind++)
        if (kind == FILE_CHECKPOINT)
            assert_ok(file_kind_allows(path, kind, &error));
        else
            assert_fails(file_kind_allows(path, kind, &error),
                         "a: is an HDF5 file that can't be read");
}
END_TEST

START_TEST(only_its_own_is_removed)
{
    const char *path = scratch_path("a");
    make(path, FILE_SWEEP);
    file_kind_remove(path, FILE_SAMPLES);
    ck_assert_int_eq(access(path, F_OK), 0);
    file_kind_remove(path, FILE_SWEEP);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* With the mark in it a picture is still one, for a reader that checks the checksums of all chunks. */
START_TEST(a_marked_picture_can_be_read)
{
    const char *path = scratch_path("a.png");
    Canvas canvas = {0};
    assert_ok(canvas_make(&canvas, 3, 2, 1, 0, &error));
    canvas_fill(&canvas, 1, 0, 1, 1, 200);
    assert_ok(canvas_write_png(&canvas, path, &error));
    png_image image = {.version = PNG_IMAGE_VERSION};
    ck_assert(png_image_begin_read_from_file(&image, path));
    ck_assert_uint_eq(image.warning_or_error, 0);
    image.format = PNG_FORMAT_GRAY;
    unsigned char pixels[64] = {0};
    ck_assert_uint_le(PNG_IMAGE_SIZE(image), sizeof pixels);
    ck_assert(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    ck_assert_uint_eq(image.warning_or_error, 0);
    ck_assert_int_eq(memcmp(pixels, canvas.pixels, PNG_IMAGE_SIZE(image)), 0);
    canvas_free(&canvas);
}
END_TEST

SUITE_MAIN("file_kind", each_kind_is_replaced_by_its_own_alone,
           what_others_have_made_is_replaced_by_nothing, nothing_and_empty_files_are_free,
           a_damaged_hdf5_file_is_free_for_checkpoints_alone, only_its_own_is_removed,
           a_marked_picture_can_be_read)
