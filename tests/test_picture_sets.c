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
    const ArchiveFile archived[] = {
        {"top/dogs/1.png", files[0].bytes, files[0].size, NULL},
        {"top/cats/a", files[1].bytes, files[1].size, NULL},
        {"top/read.me", "text", 4, NULL},
        {"top/cats/link", NULL, 0, "a"},
        {"./top/x/..//cats/./b.png", files[2].bytes, files[2].size, NULL},
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

/* Bytes of the file `name`; *size := their number. */
static uint8_t *bytes_of(const char *name, size_t *size)
{
    FILE *file = fopen(scratch_path(name), "rb");
    uint8_t *bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

/* The archive `to` := the archives `one` and `other`, one behind the other. */
static void join(const char *to, const char *one, const char *other)
{
    size_t sizes[2];
    uint8_t *bytes[2] = {bytes_of(one, &sizes[0]), bytes_of(other, &sizes[1])};
    bytes[0] = realloc(bytes[0], sizes[0] + sizes[1]);
    memcpy(bytes[0] + sizes[0], bytes[1], sizes[1]);
    scratch_write(scratch_path(to), bytes[0], sizes[0] + sizes[1]);
    free(bytes[0]);
    free(bytes[1]);
}

/* What follows a member of gzip is another one, or zeros. */
START_TEST(no_member_of_gzip_is_lost_without_a_word)
{
    MadeFile files[2] = {level_png(1), level_png(2)};
    size_t size;
    for (int i = 0; i < 2; i++) {
        const ArchiveFile file = {i == 0 ? "a/1.png" : "a/2.png", files[i].bytes, files[i].size,
                                  NULL};
        archive_write_files(scratch_path(i == 0 ? "first.tar.gz" : "second.tar.gz"), &file, 1);
        free(files[i].bytes);
    }
    scratch_write(scratch_path("zeros"), "\0\0\0", 3);
    scratch_write(scratch_path("half"), "\x1f", 1);
    join("both.tar.gz", "first.tar.gz", "zeros");
    join("both.tar.gz", "both.tar.gz", "second.tar.gz");
    join("both.tar.gz", "both.tar.gz", "zeros");
    check_levels(scratch_path("both.tar.gz"), BROKEN_STOP, 2, (int[]){1, 2});
    join("early.tar.gz", "first.tar.gz", "half");
    set_fails(scratch_path("early.tar.gz"), "(its gzip data end early)");
    for (int i = 0; i < 4; i++) { /* one of the first bytes is another one */
        uint8_t *bytes = bytes_of("second.tar.gz", &size);
        bytes[i] = bytes[i] ^ 0x40;
        scratch_write(scratch_path("other"), bytes, size);
        free(bytes);
        join("damaged.tar.gz", "first.tar.gz", "other");
        set_fails(scratch_path("damaged.tar.gz"), "damaged.tar.gz: the archive is damaged");
    }
}
END_TEST

/* Writes the archive `name` without the zeros at its end, which are tar's end mark. */
static void cut_end_mark(const char *to, const char *name)
{
    size_t size;
    uint8_t *bytes = bytes_of(name, &size);
    while (bytes[size - 1] == 0)
        size--;
    scratch_write(scratch_path(to), bytes, (size + 511) / 512 * 512);
    free(bytes);
}

START_TEST(no_picture_of_an_archive_is_lost_without_a_word)
{
    MadeFile files[3] = {level_png(1), level_png(2), level_png(3)};
    const ArchiveFile archived[] = {{"a/1.png", files[0].bytes, files[0].size, NULL},
                                    {"../a/2.png", files[1].bytes, files[1].size, NULL},
                                    {"/b/3.png", files[2].bytes, files[2].size, NULL},
                                    {"b/4.png", NULL, 0, "3.png"}};
    archive_write_files(scratch_path("1.tar"), archived, 1);
    archive_write_files(scratch_path("2.tar"), archived + 1, 2);
    archive_write_files(scratch_path("1.tar.gz"), archived, 1);
    archive_write_files(scratch_path("2.tar.gz"), archived + 1, 2);
    join("both.tar", "1.tar", "2.tar");
    join("both.tar.gz", "1.tar.gz", "2.tar.gz");
    check_levels(scratch_path("both.tar"), BROKEN_STOP, 3, (int[]){1, 2, 3});
    check_levels(scratch_path("both.tar.gz"), BROKEN_STOP, 3, (int[]){1, 2, 3});
    cut_end_mark("cut.tar", "2.tar");
    set_fails(scratch_path("cut.tar"), "cut.tar: the archive ends without tar's end mark");
    archive_write_files(scratch_path("link.tar"), archived, 4);
    set_fails(scratch_path("link.tar"), "link.tar: b/4.png is a link, whose picture the archive "
                                        "does not have there");
    for (int i = 0; i < 3; i++)
        free(files[i].bytes);
}
END_TEST

/* The number of paths doubles with each directory. */
START_TEST(directories_that_link_to_each_other_are_refused)
{
    enum { DIRECTORIES = 12 };
    make_directory("links");
    for (int i = 0; i < DIRECTORIES; i++) {
        char name[64], target[64];
        snprintf(name, sizeof name, "links/%d", i);
        make_directory(name);
        for (int k = 0; k < DIRECTORIES; k++)
            if (k != i) {
                snprintf(name, sizeof name, "links/%d/to-%d", i, k);
                snprintf(target, sizeof target, "../%d", k);
                ck_assert_int_eq(symlink(target, scratch_path(name)), 0);
            }
    }
    set_fails(scratch_path("links"), "links: links lead to more than 100000 directories");
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
    ck_assert_int_eq(symlink("loop", scratch_path("tree/cats/loop")), 0); /* no name of a picture */
    ck_assert_int_eq(unlink(scratch_path("tree/cats/0.jpeg")), 0);
    set_fails(scratch_path("tree"), "tree: cats/loop cannot be opened: Too many levels");
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

/* A directory with a picture in each class. */
static void write_classes(const char *name, const char *const *classes, int count)
{
    make_directory(name);
    for (int i = 0; i < count; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", name, classes[i]);
        make_directory(path);
        snprintf(path, sizeof path, "%s/%s/1.png", name, classes[i]);
        write_level(path, (uint8_t)i);
    }
}

/* The labels of the data set, which are freed by the caller. */
static Labels labels_of(const char *path)
{
    Dataset *dataset;
    Labels labels;
    const Config config = config_of(path, "");
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    assert_ok(labels_read(&labels, dataset, NULL, "--labels", 10, &error));
    dataset_close(dataset);
    return labels;
}

/* Whatever the locale says: a test has the locale C, as the programs have. */
START_TEST(names_outside_ascii_are_names)
{
    static const char *const kinds[] = {"names.zip", "names.tar", "names.tar.gz"};
    MadeFile files[2] = {level_png(1), level_png(2)};
    const ArchiveFile archived[] = {
        {"k\xc3\xa4tzchen/1.png", files[0].bytes, files[0].size, NULL},
        {"\xd0\xba\xd0\xbe\xd1\x88\xd0\xba\xd0\xb0/2.png", files[1].bytes, files[1].size, NULL}};
    for (int i = 0; i < 3; i++) {
        archive_write_files(scratch_path(kinds[i]), archived, 2);
        check_levels(scratch_path(kinds[i]), BROKEN_STOP, 2, (int[]){1, 2});
        Labels labels = labels_of(scratch_path(kinds[i]));
        ck_assert_int_eq(labels.classes, 2);
        ck_assert_str_eq(labels.names[0], "k\xc3\xa4tzchen");
        labels_free(&labels);
    }
    free(files[0].bytes);
    free(files[1].bytes);
}
END_TEST

START_TEST(classes_are_known_by_their_names)
{
    write_classes("all", (const char *[]){"cats", "dogs", "emus"}, 3);
    write_classes("some", (const char *[]){"cats", "emus"}, 2);
    write_classes("others", (const char *[]){"dogs", "fish"}, 2);
    Labels all = labels_of(scratch_path("all")), some = labels_of(scratch_path("some"));
    Labels others = labels_of(scratch_path("others"));
    ck_assert_int_eq(some.values[1], 1);
    assert_ok(labels_match(&some, &all, "some", &error));
    ck_assert(some.classes == 3 && some.values[0] == 0 && some.values[1] == 2);
    ck_assert_str_eq(some.names[2], "emus");
    assert_fails(labels_match(&others, &all, "others", &error),
                 "others: has the class fish, which the training images do not have");
    labels_free(&others);
    labels_free(&some);
    labels_free(&all);
}
END_TEST

START_TEST(classes_of_a_list_are_known_by_their_names)
{
    static const int expected[] = {0, 1, 1, 2};
    char path[512];
    write_classes("one", (const char *[]){"cats", "dogs"}, 2);
    write_classes("two", (const char *[]){"dogs", "emus"}, 2);
    char *one = strdup(scratch_path("one"));
    snprintf(path, sizeof path, "%s\n%s", one, scratch_path("two"));
    free(one);
    Labels labels = labels_of(path);
    ck_assert_int_eq(labels.classes, 3);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(labels.values[i], expected[i]);
    ck_assert_str_eq(labels.names[1], "dogs");
    labels_free(&labels);
}
END_TEST

SUITE_MAIN("sets of pictures", no_member_of_gzip_is_lost_without_a_word,
           pictures_come_in_the_order_of_their_names,
           no_picture_of_an_archive_is_lost_without_a_word, names_outside_ascii_are_names,
           directories_that_link_to_each_other_are_refused, a_broken_picture_stops_or_is_left_out,
           directories_are_labels_and_notes_tell_what_is_left_out, classes_are_known_by_their_names,
           classes_of_a_list_are_known_by_their_names)
