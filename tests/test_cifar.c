/* Tests of CIFAR's files, in directories and in archives, and of images that are held out: the same
 * images come from every place, damaged files are refused, and a data set is divided in one way. */
#include "base/memory.h"
#include "base/note.h"
#include "data/bundle.h"
#include "data/cifar.h"
#include "data/cifar_names.h"
#include "data/dataset.h"
#include "data/held_out.h"
#include "data/labels.h"

#include "tests/archive_files.h"
#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <sys/stat.h>

static Error error; /* of the last call */

enum { ROWS = 4, PIXELS = 3 * 32 * 32, ROW10 = 1 + PIXELS, ROW100 = 2 + PIXELS };

/* Colour c of pixel p of image i of file f. */
static uint8_t pixel(int f, int i, int p, int c)
{
    return (uint8_t)(f * 31 + i * 57 + p * 7 + c * 83 + p / 251);
}

/* The rows of file f: labels first, then planes. The fine label is f + i, the coarse one 3. */
static const uint8_t *rows_of(int f, int label_bytes)
{
    static uint8_t files[6][ROWS * ROW100];
    uint8_t *next = files[f];
    for (int i = 0; i < ROWS; i++) {
        if (label_bytes == 2)
            *next++ = 3;
        *next++ = (uint8_t)(f + i);
        for (int c = 0; c < 3; c++)
            for (int p = 0; p < 32 * 32; p++)
                *next++ = pixel(f, i, p, c);
    }
    return files[f];
}

static const char *const names10[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                      "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
static const char *const names100[] = {"train.bin", "test.bin"};

/* Writes the files to a directory, without the file number `missing`. */
static const char *write_directory(const char *name, bool hundred, int missing)
{
    const char *directory = scratch_path(name);
    ck_assert_int_eq(mkdir(directory, 0777), 0);
    for (int f = 0; f < (hundred ? 2 : 6); f++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", directory, hundred ? names100[f] : names10[f]);
        if (f != missing)
            scratch_write(path, rows_of(f, hundred ? 2 : 1),
                          (size_t)ROWS * (hundred ? ROW100 : ROW10));
    }
    return directory;
}

/* Writes them to an archive, the last one first, behind a file of another kind. */
static const char *write_archive(const char *name, bool hundred)
{
    const char *path = scratch_path(name);
    ArchiveFile files[7] = {{"folder/readme.html", "text", 4, NULL}};
    char names[6][80];
    const int count = hundred ? 2 : 6;
    for (int f = 0; f < count; f++) {
        snprintf(names[f], sizeof names[f], "folder/%s", hundred ? names100[f] : names10[f]);
        files[count - f] = (ArchiveFile){names[f], rows_of(f, hundred ? 2 : 1),
                                         (size_t)ROWS * (hundred ? ROW100 : ROW10), NULL};
    }
    archive_write_files(path, files, count + 1);
    return path;
}

static Config config_of(const char *train, const char *test)
{
    Config config;
    config_defaults(&config);
    config.data.resolution = 32;
    config.data.channels = 3;
    snprintf(config.data.train, sizeof config.data.train, "%s", train);
    snprintf(config.data.test, sizeof config.data.test, "%s", test);
    return config;
}

/* -- Places ------------------------------------------------------------------------------------ */

/* The training images are those of files 0 .. training - 1, the test images those of the next. */
static void check_images(const char *path, int training)
{
    for (int test = 0; test < 2; test++) {
        CifarImages images;
        assert_ok(cifar_read(&images, path, test, &error));
        ck_assert_int_eq(images.count, ROWS * (test ? 1 : training));
        size_t wrong = 0;
        for (int n = 0; n < images.count; n++) {
            const int f = test ? training : n / ROWS, i = n % ROWS;
            wrong += images.labels[n] != f + i;
            for (int p = 0; p < 32 * 32; p++)
                for (int c = 0; c < 3; c++)
                    wrong += images.pixels[n * PIXELS + p * 3 + c] != pixel(f, i, p, c);
        }
        ck_assert_uint_eq(wrong, 0);
        cifar_free(&images);
    }
}

START_TEST(the_same_images_come_from_a_directory_and_from_archives)
{
    check_images(write_directory("ten", false, -1), 5);
    check_images(write_archive("ten.tar.gz", false), 5);
    check_images(write_archive("ten.tar", false), 5);
    check_images(write_archive("ten.zip", false), 5);
    check_images(write_directory("hundred", true, -1), 1);
    check_images(write_archive("hundred.tar.gz", true), 1);
}
END_TEST

START_TEST(a_directory_may_hold_the_folder_of_the_archive)
{
    const char *outer = scratch_path("outer");
    ck_assert_int_eq(mkdir(outer, 0777), 0);
    write_directory("outer/cifar-10-batches-bin", false, -1);
    check_images(outer, 5);
}
END_TEST

START_TEST(the_names_of_the_classes_lie_beside_the_images)
{
    static const char text[] = "airplane\nautomobile\r\nbird\ncat\ndeer\ndog\nfrog\n\n";
    char *names[CIFAR_MOST_CLASSES];
    const char *directory = write_directory("named", false, -1);
    ck_assert_int_eq(cifar_class_names(directory, names), 0);
    scratch_write(scratch_path("named/batches.meta.txt"), text, sizeof text - 1);
    const ArchiveFile fine = {"cifar-100-binary/fine_label_names.txt", "apple\nfish\n", 11, NULL};
    archive_write_files(scratch_path("names.tar.gz"), &fine, 1);
    ck_assert_int_eq(cifar_class_names(scratch_path("names.tar.gz"), names), 2);
    ck_assert_str_eq(names[1], "fish");
    memory_free(names[0]);
    memory_free(names[1]);

    Config config = config_of(directory, "auto");
    Dataset *dataset;
    Labels labels;
    assert_ok(dataset_open(&dataset, &config, DATASET_TEST, &error));
    assert_ok(labels_read(&labels, dataset, NULL, "--labels", 10, &error));
    ck_assert_int_gt(labels.classes, 6);
    ck_assert_str_eq(labels.names[1], "automobile");
    ck_assert_str_eq(labels.names[6], "frog");
    ck_assert(labels.classes < 8 || !labels.names[7]);
    labels_free(&labels);
    dataset_close(dataset);
}
END_TEST

START_TEST(the_content_shows_the_format_and_train_brings_test)
{
    const char *const paths[] = {write_directory("d", false, -1), write_archive("any.name", false)};
    for (int i = 0; i < 2; i++) {
        Config config = config_of(paths[i], "auto");
        Dataset *train, *test;
        ck_assert_int_eq(dataset_format_of_file(paths[i]), DATA_CIFAR);
        ck_assert(dataset_is_named(&config, DATASET_TEST));
        assert_ok(dataset_open(&train, &config, DATASET_TRAIN, &error));
        assert_ok(dataset_open(&test, &config, DATASET_TEST, &error));
        ck_assert_int_eq(dataset_count(train), 5 * ROWS);
        ck_assert_int_eq(dataset_count(test), ROWS);
        Labels labels;
        assert_ok(labels_read(&labels, test, NULL, "--labels", 10, &error));
        ck_assert_int_eq(labels.count, ROWS);
        ck_assert_int_eq(labels.values[1], 6);
        labels_free(&labels);
        dataset_close(train);
        dataset_close(test);
    }
}
END_TEST

START_TEST(images_of_another_shape_are_refused)
{
    Dataset *dataset;
    Config config = config_of(write_directory("d", false, -1), "auto");
    config.data.channels = 1;
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "images of CIFAR have 3 channels, but data.channels is 1");
    config.data.channels = 3;
    config.data.resolution = 28;
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "images of CIFAR are 32x32, but data.resolution is 28");
}
END_TEST

START_TEST(missing_data_name_the_command_that_brings_them)
{
    Dataset *dataset;
    const Config config = config_of("no/such/data/cifar10", "auto");
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "data/cifar10: no such directory; make cifar10 fetches it");
    const Config other = config_of("no/such/data/cifar10-mine.tar", "auto");
    assert_fails(dataset_open(&dataset, &other, DATASET_TRAIN, &error),
                 "cifar10-mine.tar: no such file, expected");
    scratch_write(scratch_path("page"), "<html>", 6);
    const Config page = config_of(scratch_path("page"), "auto");
    assert_fails(dataset_open(&dataset, &page, DATASET_TRAIN, &error), "page: is an HTML page");
}
END_TEST

/* -- Damage ------------------------------------------------------------------------------------ */

static void refuses(const char *path, const char *text)
{
    CifarImages images;
    assert_fails(cifar_read(&images, path, false, &error), text);
    ck_assert_ptr_null(images.pixels);
}

START_TEST(a_missing_file_is_named)
{
    refuses(write_directory("d", false, 2), "d: data_batch_3.bin of CIFAR-10 is missing");
    const ArchiveFile one = {"x/train.bin", rows_of(0, 1), ROW10, NULL};
    archive_write_files(scratch_path("a.tar"), &one, 0);
    ck_assert(!cifar_detects(scratch_path("a.tar")));
    CifarImages images;
    archive_write_files(scratch_path("b.tar"), &(ArchiveFile){"test.bin", "", 0, NULL}, 1);
    assert_fails(cifar_read(&images, scratch_path("b.tar"), false, &error),
                 "b.tar: train.bin of CIFAR-100 is missing");
}
END_TEST

START_TEST(damaged_files_are_refused)
{
    uint8_t rows[2 * ROW100];
    memcpy(rows, rows_of(0, 2), sizeof rows);
    ArchiveFile file = {"train.bin", rows, sizeof rows - 1, NULL};
    archive_write_files(scratch_path("a.tar"), &file, 1);
    refuses(scratch_path("a.tar"), "a.tar: train.bin has 6147 bytes, expected a multiple of 3074, "
                                   "the bytes of an image of CIFAR-100");
    file.size++;
    rows[ROW100 + 1] = 100;
    archive_write_files(scratch_path("b.tar"), &file, 1);
    refuses(scratch_path("b.tar"), "b.tar: image 1 of train.bin has the label 100, expected one "
                                   "from 0 to 99");
    rows[ROW100 + 1] = 99;
    const ArchiveFile twice[] = {file, {"x/train.bin", rows, sizeof rows, NULL}};
    archive_write_files(scratch_path("c.tar"), twice, 2);
    refuses(scratch_path("c.tar"), "c.tar: holds train.bin twice");
    const ArchiveFile both[] = {file, {"test_batch.bin", rows, ROW10, NULL}};
    archive_write_files(scratch_path("d.tar"), both, 2);
    refuses(scratch_path("d.tar"), "d.tar: holds files of CIFAR-100 and of CIFAR-10");
}
END_TEST

/* Wherever a compressed archive is cut off, and whichever byte of its checksum is changed. */
START_TEST(damaged_archives_are_refused)
{
    size_t size;
    char *bytes = scratch_read(write_archive("whole.tar.gz", true), &size);
    for (size_t cut = 20; cut < size; cut += size / 50 + 1) {
        scratch_write(scratch_path("cut.tar.gz"), bytes, cut);
        refuses(scratch_path("cut.tar.gz"), "cut.tar.gz: ");
    }
    scratch_write(scratch_path("cut.tar.gz"), bytes, size - 1);
    refuses(scratch_path("cut.tar.gz"), "cut.tar.gz: the archive is damaged, or of a kind that is "
                                        "not read (its gzip data end early)");
    for (size_t i = size - 8; i < size; i++) {
        bytes[i] ^= 1;
        scratch_write(scratch_path("changed.tar.gz"), bytes, size);
        refuses(scratch_path("changed.tar.gz"), "changed.tar.gz: the archive is damaged");
        bytes[i] ^= 1;
    }
    free(bytes);
    refuses(scratch_path("nothing"), "nothing: no such file, expected an archive");
    scratch_write(scratch_path("text"), "text", 4);
    refuses(scratch_path("text"), "text: ");
}
END_TEST

START_TEST(links_in_an_archive_are_passed_over)
{
    const ArchiveFile files[] = {{"train.bin", NULL, 0, "/etc/passwd"},
                                 {"a/train.bin", rows_of(0, 2), ROW100, NULL}};
    archive_write_files(scratch_path("a.tar"), files, 2);
    CifarImages images;
    assert_ok(cifar_read(&images, scratch_path("a.tar"), false, &error));
    ck_assert_int_eq(images.count, 1);
    cifar_free(&images);
}
END_TEST

/* -- Held-out images --------------------------------------------------------------------------- */

START_TEST(held_out_images_are_the_same_forever)
{
    static const uint32_t expected[] = {36, 39, 44, 66, 74, 82, 87, 91, 95};
    enum { COUNT = 100, HELD = sizeof expected / sizeof expected[0] };
    uint32_t *held, *rest;
    int64_t held_count, rest_count;
    assert_ok(held_out_choose(&held, &held_count, COUNT, true, "x", &error));
    assert_ok(held_out_choose(&rest, &rest_count, COUNT, false, "x", &error));
    ck_assert_int_eq(held_count, HELD);
    ck_assert_mem_eq(held, expected, sizeof expected);
    ck_assert_int_eq(held_count + rest_count, COUNT);
    for (int64_t i = 0, h = 0, r = 0; i < COUNT; i++) /* every image on one side, in order */
        if (h < held_count && held[h] == i)
            h++;
        else
            ck_assert_uint_eq(rest[r++], i);
    memory_free(held);
    memory_free(rest);
}
END_TEST

START_TEST(each_side_has_an_image_and_the_held_out_ones_are_a_tenth)
{
    for (int64_t count = 2; count < 300; count++)
        for (int held = 0; held < 2; held++) {
            uint32_t *chosen;
            int64_t n;
            assert_ok(held_out_choose(&chosen, &n, count, held, "x", &error));
            ck_assert(n > 0 && n < count);
            memory_free(chosen);
        }
    static const int64_t counts[] = {50000, 1000000};
    for (int i = 0; i < 2; i++) {
        uint32_t *chosen;
        int64_t n;
        assert_ok(held_out_choose(&chosen, &n, counts[i], true, "x", &error));
        const double expected = i == 0 ? 5000 : 10000;
        ck_assert(fabs((double)n - expected) < 5 * sqrt(expected));
        memory_free(chosen);
    }
    uint32_t *chosen;
    int64_t n;
    assert_fails(held_out_choose(&chosen, &n, 1, true, "x", &error), "x: has one image");
}
END_TEST

static char last_note[4096];

static void keep_note(const char *line)
{
    snprintf(last_note, sizeof last_note, "%s", line);
}

/* IDX has no test images. Image i has the value i in each pixel and the label i % 7. */
START_TEST(training_leaves_out_what_is_held_out_and_labels_follow)
{
    enum { COUNT = 60, SIDE = 4, SIZE = SIDE * SIDE };
    uint8_t images[16 + COUNT * SIZE] = {0, 0, 8, 3, 0, 0, 0, COUNT, 0, 0, 0, SIDE, 0, 0, 0, SIDE};
    uint8_t classes[8 + COUNT] = {0, 0, 8, 1, 0, 0, 0, COUNT};
    for (int i = 0; i < COUNT; i++) {
        memset(images + 16 + i * SIZE, i, SIZE);
        classes[8 + i] = (uint8_t)(i % 7);
    }
    scratch_write(scratch_path("images-idx3"), images, sizeof images);
    scratch_write(scratch_path("labels-idx1"), classes, sizeof classes);
    Config config = config_of(scratch_path("images-idx3"), "auto");
    config.data.resolution = SIDE;
    config.data.channels = 1;
    bool seen[COUNT] = {false};
    int64_t total = 0;
    note_show(keep_note);
    for (int split = 0; split < 2; split++) {
        Dataset *dataset;
        Labels labels;
        assert_ok(dataset_open(&dataset, &config, (DatasetSplit)split, &error));
        assert_ok(labels_read(&labels, dataset, NULL, "--labels", 7, &error));
        const int64_t count = dataset_count(dataset);
        ck_assert_int_eq(labels.count, count);
        total += count;
        for (int64_t i = 0; i < count; i++) {
            float image[SIZE];
            assert_ok(dataset_read(dataset, &i, 1, image, &error));
            const int stored = (int)lroundf((image[0] + 1) * 255 / 2);
            ck_assert(!seen[stored]);
            seen[stored] = true;
            ck_assert_int_eq(labels.values[i], stored % 7);
        }
        ck_assert(split == 0 || strstr(dataset_name(dataset), "images-idx3, held out"));
        labels_free(&labels);
        dataset_close(dataset);
    }
    ck_assert_int_eq(total, COUNT);
    ck_assert_ptr_nonnull(strstr(last_note, "data.test is auto: of the 60 images of "));
    note_show(NULL);
}
END_TEST

/* -- Lists of data sets ------------------------------------------------------------------------ */

enum { LEVELS_SIDE = 4, LEVELS_SIZE = LEVELS_SIDE * LEVELS_SIDE };

/* An IDX of images of one level each, first, first + 1, ..., with labels that are the levels. */
static void write_levels(const char *images_name, const char *labels_name, int first, int count)
{
    uint8_t images[16 + 32 * LEVELS_SIZE] = {0, 0, 8, 3,           0, 0, 0, (uint8_t)count,
                                             0, 0, 0, LEVELS_SIDE, 0, 0, 0, LEVELS_SIDE};
    uint8_t labels[8 + 32] = {0, 0, 8, 1, 0, 0, 0, (uint8_t)count};
    for (int i = 0; i < count; i++) {
        memset(images + 16 + i * LEVELS_SIZE, first + i, LEVELS_SIZE);
        labels[8 + i] = (uint8_t)(first + i);
    }
    scratch_write(scratch_path(images_name), images, 16 + (size_t)count * LEVELS_SIZE);
    scratch_write(scratch_path(labels_name), labels, 8 + (size_t)count);
}

static Config list_config(const char *one, const char *other, const char *test)
{
    char text[1200];
    Config config;
    snprintf(text, sizeof text,
             "data: {train: ['%s', '%s'], test: '%s', channels: 1, resolution: 4}\n"
             "model: {attention: []}",
             one, other, test);
    assert_ok(config_parse(&config, text, "x", NULL, 0, &error));
    return config;
}

START_TEST(a_list_is_one_data_set)
{
    write_levels("a-images-idx3", "a-labels-idx1", 0, 20);
    write_levels("b-images-idx3", "b-labels-idx1", 20, 11);
    Config config = list_config(scratch_path("a-images-idx3"), scratch_path("b-images-idx3"), "");
    Dataset *dataset;
    Labels labels;
    int64_t indices[40];
    float images[40 * LEVELS_SIZE];
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    ck_assert_int_eq(dataset_count(dataset), 31);
    ck_assert_ptr_nonnull(strstr(dataset_name(dataset), "a-images-idx3, "));
    for (int i = 0; i < 40; i++) /* jumps between the parts and runs inside them */
        indices[i] = i < 20 ? i * 13 % 31 : i % 31;
    assert_ok(dataset_read(dataset, indices, 40, images, &error));
    for (int i = 0; i < 40; i++)
        ck_assert(images[i * LEVELS_SIZE + 7] == 2.0f * (float)indices[i] / 255.0f - 1.0f);
    assert_ok(labels_read(&labels, dataset, NULL, "--labels", 40, &error));
    for (int i = 0; i < 31; i++)
        ck_assert_int_eq(labels.values[i], i);
    labels_free(&labels);
    dataset_close(dataset);

    /* No file counts twice, whatever it is called. */
    ck_assert_int_eq(symlink(scratch_path("a-images-idx3"), scratch_path("c-images-idx3")), 0);
    config = list_config(scratch_path("a-images-idx3"), scratch_path("c-images-idx3"), "");
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "c-images-idx3 are one file, expected each file once");
    ck_assert_int_eq(mkdir(scratch_path("outer"), 0777), 0);
    ck_assert_int_eq(mkdir(scratch_path("outer/inner"), 0777), 0);
    config = list_config(scratch_path("outer/inner"), scratch_path("outer"), "");
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "outer, expected each file once");

    /* The whole is divided, not its parts. */
    config = list_config(scratch_path("a-images-idx3"), scratch_path("b-images-idx3"), "auto");
    uint32_t *held;
    int64_t count;
    assert_ok(held_out_choose(&held, &count, 31, true, "x", &error));
    assert_ok(dataset_open(&dataset, &config, DATASET_TEST, &error));
    ck_assert_int_eq(dataset_count(dataset), count);
    assert_ok(dataset_read(dataset, (int64_t[]){0}, 1, images, &error));
    ck_assert(images[0] == 2.0f * (float)held[0] / 255.0f - 1.0f);
    memory_free(held);
    dataset_close(dataset);

    snprintf(config.data.test, sizeof config.data.test, "%s", config.data.train); /* a list, too */
    assert_ok(dataset_open(&dataset, &config, DATASET_TEST, &error));
    ck_assert_int_eq(dataset_count(dataset), 31);
    dataset_close(dataset);

    config = list_config(scratch_path("a-images-idx3"), "fashion-mnist/none", "");
    assert_fails(dataset_open(&dataset, &config, DATASET_TRAIN, &error),
                 "fashion-mnist/none: no such file; Debian's package");
}
END_TEST

SUITE_MAIN("cifar", the_same_images_come_from_a_directory_and_from_archives,
           a_directory_may_hold_the_folder_of_the_archive,
           the_names_of_the_classes_lie_beside_the_images,
           the_content_shows_the_format_and_train_brings_test, images_of_another_shape_are_refused,
           missing_data_name_the_command_that_brings_them, a_missing_file_is_named,
           damaged_files_are_refused, damaged_archives_are_refused,
           links_in_an_archive_are_passed_over, held_out_images_are_the_same_forever,
           each_side_has_an_image_and_the_held_out_ones_are_a_tenth,
           training_leaves_out_what_is_held_out_and_labels_follow, a_list_is_one_data_set)
