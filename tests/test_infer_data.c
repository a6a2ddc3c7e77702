/* Tests of `infer data`: what it makes of sets that are large, wrong or broken. */
#include "tests/infer_program.h"
#include "tests/made_pictures.h"

#include <sys/stat.h>

/* A grey picture "$D/NAME" of that width and height. */
static void write_picture(const char *name, int width, int height)
{
    uint8_t *pixels = calloc((size_t)width, (size_t)height);
    for (int i = 0; i < width * height; i++)
        pixels[i] = (uint8_t)(i % 251);
    MadeFile file = made_plain_png(width, height, 1, pixels);
    FILE *to = fopen(in_directory(name), "wb");
    ck_assert_ptr_nonnull(to);
    fwrite(file.bytes, 1, file.size, to);
    fclose(to);
    free(file.bytes);
    free(pixels);
}

static void make_directory(const char *name)
{
    ck_assert_int_eq(mkdir(in_directory(name), 0777), 0);
}

static void assert_says(const char *text)
{
    ck_assert_msg(strstr(program_output, text) != NULL, "\"%s\" is not in: %s", text,
                  program_output);
}

START_TEST(photographs_are_looked_at_as_smaller_squares)
{
    program_begin();
    make_directory("photos");
    write_picture("photos/1.png", 1500, 1200);
    infer_ok("data $D/photos");
    assert_says("1 of 1024 x 1024");
    assert_says("1500 to 1500 pixels wide, 1200 to 1200 high");
    assert_says("a data.resolution of 1024 at most");
    infer_ok("data $D/photos --set data.resolution=64");
    assert_says("1 of 64 x 64");
    write_picture("photos/2.png", 2, 2);
    infer_fails(2, "2.png has 2 x 2 pixels, expected at least 4 x 4", "data $D/photos");
    make_directory("even");
    write_picture("even/1.png", 1100, 1100);
    infer_ok("data $D/even");
    assert_says("1 of 1024 x 1024");
    assert_says("1100 to 1100 pixels wide");
    program_end();
}
END_TEST

/* An IDX file of `count` items of `size` bytes; of labels, the last of which is `last`, where the
 * size is 1. */
static void write_idx(const char *name, uint8_t count, int size, uint8_t last)
{
    const bool labels = size == 1;
    const uint8_t header[] = {0, 0, 8, labels ? 1 : 3, 0, 0, 0, count, 0, 0, 0, 4, 0, 0, 0, 4};
    FILE *to = fopen(in_directory(name), "wb");
    ck_assert_ptr_nonnull(to);
    fwrite(header, 1, labels ? 8 : 16, to);
    for (int i = 0; i < count * size; i++)
        fputc(labels && i == count - 1 ? last : i % 2, to);
    fclose(to);
}

START_TEST(wrong_labels_are_an_error_and_missing_ones_are_none)
{
    program_begin();
    write_idx("a-images-idx3", 6, 16, 0);
    write_idx("a-labels-idx1", 6, 1, 1);
    infer_ok("data $D/a-images-idx3");
    assert_says("labels      2 classes");
    write_idx("a-labels-idx1", 5, 1, 1);
    infer_fails(2, "has 5 labels, expected one for each of the 6 images", "data $D/a-images-idx3");
    ck_assert_int_eq(unlink(in_directory("a-labels-idx1")), 0);
    infer_ok("data $D/a-images-idx3");
    assert_says("labels      not known: ");
    program_end();
}
END_TEST

START_TEST(a_set_of_broken_pictures_names_the_first)
{
    program_begin();
    make_directory("broken");
    ck_assert_int_eq(system("printf '\\211PNG\\r\\n\\032\\nx' >$D/broken/b.png; "
                            "echo text >$D/broken/a.txt; "
                            "printf '\\211PNG\\r\\n\\032\\ny' >$D/broken/c.png"),
                     0);
    infer_fails(2, "broken: b.png is truncated", "data $D/broken");
    program_end();
}
END_TEST

START_TEST(the_format_can_be_said_and_an_unknown_one_is_named)
{
    program_begin();
    write_idx("a-images-idx3", 6, 16, 0);
    infer_ok("data $D/a-images-idx3 --set data.format=auto");
    infer_ok("data $D/a-images-idx3 --set data.format=idx");
    make_directory("one");
    write_picture("one/1.png", 8, 8);
    infer_fails(2, "1.png: is a PNG picture, expected images: IDX, HDF5", "data $D/one/1.png");
    ck_assert_int_eq(system("head -c 100 /dev/zero >$D/zeros"), 0);
    infer_fails(2, "zeros: is of no format that is known here, expected images", "data $D/zeros");
    ck_assert_int_eq(system("printf 'PK\\003\\004' >$D/cut.zip"), 0);
    infer_fails(2, "cut.zip: is no archive, expected tar, tar.gz or zip", "data $D/cut.zip");
    program_end();
}
END_TEST

SUITE_MAIN("infer_data", photographs_are_looked_at_as_smaller_squares,
           wrong_labels_are_an_error_and_missing_ones_are_none,
           a_set_of_broken_pictures_names_the_first,
           the_format_can_be_said_and_an_unknown_one_is_named)
