/* Tests of directories and archives of pictures: their order, broken ones, labels and notes. */
#include "base/note.h"
#include "data/dataset.h"
#include "data/labels.h"
#include "data/picture_set.h"

#include "tests/archive_files.h"
#include "tests/expect.h"
#include "tests/made_pictures.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <sys/stat.h>

static Error error; /* of the last call */

enum { SIDE = 4, PIXELS = SIDE * SIDE };

/* A picture all of one level. */
static MadeFile level_png(uint8_t level)
{
    uint8_t pixels[PIXELS];
    memset(pixels, level, sizeof pixels);
    return made_plain_png(SIDE, SIDE, 1, pixels);
}

static void make_directory(const char *name)
{
    ck_assert_int_eq(mkdir(scratch_path(name), 0777), 0);
}

static void write_level(const char *name, uint8_t level)
{
    MadeFile file = level_png(level);
    scratch_write(scratch_path(name), file.bytes, file.size);
    free(file.bytes);
}

static const PictureRule grey_rule = {.resolution = SIDE, .channels = 1};

/* The levels of a set's images, in order. */
static void check_levels(const char *path, OnBroken on_broken, int count, const int *levels)
{
    PictureSet set;
    const PictureSetOptions options = {.rule = &grey_rule, .on_broken = on_broken};
    assert_ok(picture_set_open(&set, path, &options, &error));
    ck_assert_int_eq(set.index.count, count);
    for (int64_t i = 0; i < count; i++) {
        uint8_t image[PIXELS];
        assert_ok(picture_set_read(&set, &i, 1, image, &error));
        ck_assert_int_eq(image[0], levels[i]);
    }
    picture_set_free(&set);
}

static void set_fails(const char *path, const char *text)
{
    PictureSet set;
    const PictureSetOptions options = {.rule = &grey_rule};
    assert_fails(picture_set_open(&set, path, &options, &error), text);
    picture_set_free(&set);
}

/* Two classes, hidden files, a text and a link that leads back. */
static void write_tree(void)
{
    make_directory("tree");
    make_directory("tree/dogs");
    make_directory("tree/cats");
    make_directory("tree/.hidden");
    make_directory("tree/__MACOSX");
    write_level("tree/dogs/1.png", 3);
    write_level("tree/cats/b.png", 2);
    write_level("tree/cats/a", 1); /* the content counts */
    write_level("tree/cats/.c.png", 9);
    write_level("tree/.hidden/d.png", 9);
    write_level("tree/__MACOSX/e.png", 9);
    scratch_write(scratch_path("tree/labels.txt"), "text", 4);
    ck_assert_int_eq(symlink("..", scratch_path("tree/dogs/again")), 0);
}

START_TEST(pictures_come_in_the_order_of_their_names)
{
    write_tree();
    check_levels(scratch_path("tree"), BROKEN_STOP, 3, (int[]){1, 2, 3});
    MadeFile files[3] = {level_png(3), level_png(1), level_png(2)};
    const ArchiveFile archived[] = {{"top/dogs/1.png", files[0].bytes, files[0].size, NULL},
                                    {"top/cats/a", files[1].bytes, files[1].size, NULL},
                                    {"top/read.me", "text", 4, NULL},
                                    {"top/cats/link.png", NULL, 0, "a"},
                                    {"./top/cats/b.png", files[2].bytes, files[2].size, NULL},
                                    {"top/.x/c.png", files[2].bytes, files[2].size, NULL}};
    static const char *const names[] = {"a.tar", "a.tar.gz"};
    for (int i = 0; i < 2; i++) {
        archive_write_files(scratch_path(names[i]), archived, 6);
        check_levels(scratch_path(names[i]), BROKEN_STOP, 3, (int[]){1, 2, 3});
    }
    archive_write_files(scratch_path("a.zip"), archived, 3);
    check_levels(scratch_path("a.zip"), BROKEN_STOP, 2, (int[]){1, 3});
    const ArchiveFile twice[] = {archived[0], archived[1], archived[0]};
    archive_write_files(scratch_path("b.tar"), twice, 3);
    set_fails(scratch_path("b.tar"), "b.tar: holds two pictures named top/dogs/1.png");
    for (int i = 0; i < 3; i++)
        free(files[i].bytes);
}
END_TEST

START_TEST(a_broken_picture_stops_or_is_left_out)
{
    write_tree();
    scratch_write(scratch_path("tree/cats/0.PNG"), "GIF89a", 6);
    set_fails(scratch_path("tree"), "tree: cats/0.PNG is neither PNG nor JPEG");
    check_levels(scratch_path("tree"), BROKEN_SKIP, 3, (int[]){1, 2, 3});
    scratch_write(scratch_path("tree/cats/0.PNG"), "\x89PNG\r\n\x1a\nx", 9);
    set_fails(scratch_path("tree"), "tree: cats/0.PNG is truncated");
    scratch_write(scratch_path("tree/cats/0.PNG"), "", 0);
    set_fails(scratch_path("tree"), "tree: cats/0.PNG is empty");
    ck_assert_int_eq(unlink(scratch_path("tree/cats/0.PNG")), 0);
    ck_assert_int_eq(symlink("nothing", scratch_path("tree/cats/0.jpeg")), 0);
    set_fails(scratch_path("tree"), "tree: cats/0.jpeg cannot be opened: No such file");
    check_levels(scratch_path("tree"), BROKEN_SKIP, 3, (int[]){1, 2, 3});
    make_directory("broken");
    scratch_write(scratch_path("broken/a\nb.png"), "", 0);
    PictureSet set;
    const PictureSetOptions skip = {.rule = &grey_rule, .on_broken = BROKEN_SKIP};
    assert_fails(picture_set_open(&set, scratch_path("broken"), &skip, &error),
                 "broken: all its 1 pictures are broken");
    picture_set_free(&set);
    set_fails(scratch_path("broken"), "broken: a?b.png is empty");
    make_directory("empty");
    set_fails(scratch_path("empty"), "empty: holds no PNG or JPEG");
    set_fails(scratch_path("nothing"), "nothing: no such file");
}
END_TEST

static char notes[8192];

static void keep_notes(const char *line)
{
    strncat(notes, line, sizeof notes - strlen(notes) - 1);
}

static Config config_of(const char *train, const char *test)
{
    Config config;
    config_defaults(&config);
    config.data.resolution = SIDE;
    snprintf(config.data.train, sizeof config.data.train, "%s", train);
    snprintf(config.data.test, sizeof config.data.test, "%s", test);
    return config;
}

START_TEST(directories_are_labels_and_notes_tell_what_is_left_out)
{
    Dataset *dataset;
    Labels labels;
    write_tree();
    scratch_write(scratch_path("tree/cats/0.png"), "", 0);
    Config config = config_of(scratch_path("tree"), "");
    config.data.on_broken = BROKEN_SKIP;
    note_show(keep_notes);
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    note_show(NULL);
    ck_assert_ptr_nonnull(strstr(notes, "tree: cats/0.png is empty, and is left out"));
    ck_assert_ptr_nonnull(strstr(notes, "tree: 1 broken pictures are left out, 3 are taken"));
    ck_assert_ptr_nonnull(
        strstr(notes, "tree: 1 of its files are no PNG or JPEG, and are passed over (labels.txt)"));
    assert_ok(labels_read(&labels, dataset, NULL, "--labels", 10, &error));
    ck_assert_int_eq(labels.classes, 2);
    ck_assert(labels.values[0] == 0 && labels.values[1] == 0 && labels.values[2] == 1);
    labels_free(&labels);
    dataset_close(dataset);
    write_level("tree/outside.png", 4);
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    assert_fails(labels_read(&labels, dataset, NULL, "--labels", 10, &error),
                 "tree: outside.png lies in no directory of a class");
    dataset_close(dataset);
    config.data.channels = 2;
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "tree: pictures have 1 or 3 channels, but data.channels is 2");
}
END_TEST

SUITE_MAIN("sets of pictures", pictures_come_in_the_order_of_their_names,
           a_broken_picture_stops_or_is_left_out,
           directories_are_labels_and_notes_tell_what_is_left_out)
