/* Tests of pictures: every kind of PNG and JPEG, pictures that are broken, how they become images, and
 * the files of directories and archives. */
#include "base/memory.h"
#include "base/note.h"
#include "data/dataset.h"
#include "data/labels.h"
#include "data/picture.h"
#include "data/picture_fit.h"
#include "data/picture_set.h"
#include "hdf5/hdf5_file.h"

#include "tests/archive_files.h"
#include "tests/expect.h"
#include "tests/made_pictures.h"
#include "tests/scratch.h"
#include "tests/suite.h"
#include "tests/train_program.h"

#include <sys/stat.h>
#include <zlib.h>

static Error error; /* of the last call */

/* -- PNG --------------------------------------------------------------------------------------- */

enum { WIDTH = 11, HEIGHT = 9, MOST = WIDTH * HEIGHT * 4 };

/* Samples of a fixed pattern. Some are 0 in all channels, as transparent colours are. */
static void fill_samples(uint16_t *samples, const PngKind *kind)
{
    const int channels = made_channels(kind->type);
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        for (int c = 0; c < channels; c++)
            samples[p * channels + c] =
                (uint16_t)(p % 5 == 0 ? 0 : (p * 2654 + c * 977 + 17) % (1 << kind->depth));
}

/* A sample as 8 bits. */
static int eight_bits(int sample, int depth)
{
    return depth == 16 ? (sample * 255 + 32767) / 65535 : sample * 255 / ((1 << depth) - 1);
}

/* Channel c of pixel p of the decoded picture. */
static int expected_sample(const PngKind *kind, const uint16_t *samples, int p, int c)
{
    const int stored = made_channels(kind->type);
    const uint16_t *pixel = samples + p * stored;
    const int colours = kind->type == PNG_COLOR_TYPE_PALETTE ? 3 : stored - (stored % 2 == 0);
    if (c == colours && kind->transparent) {
        bool zero = true;
        for (int i = 0; i < stored; i++)
            zero = zero && pixel[i] == 0;
        return zero ? 0 : 255;
    }
    return kind->type == PNG_COLOR_TYPE_PALETTE ? made_palette(pixel[0], c)
                                                : eight_bits(pixel[c], kind->depth);
}

static void check_png(const PngKind *kind)
{
    uint16_t samples[MOST];
    fill_samples(samples, kind);
    MadeFile file = made_png(kind, WIDTH, HEIGHT, samples);
    Picture picture;
    assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
    const int stored = made_channels(kind->type);
    const int channels =
        (kind->type == PNG_COLOR_TYPE_PALETTE ? 3 : stored) + (kind->transparent ? 1 : 0);
    ck_assert_int_eq(picture.channels, channels);
    ck_assert(picture.width == WIDTH && picture.height == HEIGHT);
    for (int p = 0; p < WIDTH * HEIGHT; p++)
        for (int c = 0; c < channels; c++)
            ck_assert_msg(picture.pixels[p * channels + c] == expected_sample(kind, samples, p, c),
                          "type %d, depth %d, pixel %d, channel %d: %d", kind->type, kind->depth, p,
                          c, picture.pixels[p * channels + c]);
    picture_free(&picture);
    free(file.bytes);
}

START_TEST(every_kind_of_png_is_read)
{
    static const struct {
        int type, depths[6];
    } types[] = {{PNG_COLOR_TYPE_GRAY, {1, 2, 4, 8, 16}},
                 {PNG_COLOR_TYPE_PALETTE, {1, 2, 4, 8}},
                 {PNG_COLOR_TYPE_RGB, {8, 16}},
                 {PNG_COLOR_TYPE_GA, {8, 16}},
                 {PNG_COLOR_TYPE_RGB_ALPHA, {8, 16}}};
    int count = 0;
    for (int t = 0; t < 5; t++)
        for (int d = 0; types[t].depths[d]; d++)
            for (int way = 0; way < 4; way++) {
                const PngKind kind = {.type = types[t].type,
                                      .depth = types[t].depths[d],
                                      .interlaced = way & 1,
                                      .transparent = way & 2};
                if (kind.transparent && (kind.type & PNG_COLOR_MASK_ALPHA))
                    continue; /* a picture with alpha has no transparent colour */
                check_png(&kind);
                count++;
            }
    ck_assert_int_eq(count, 52);
}
END_TEST

/* -- JPEG -------------------------------------------------------------------------------------- */

/* A slope of light, which JPEG keeps to a few levels. */
static uint8_t slope(int x, int y, int c)
{
    return (uint8_t)(40 + 4 * x + 3 * y + 20 * c);
}

/* The colour that the inks of a picture make. */
static int light_of(const JpegKind *kind, const uint8_t *inks, int c)
{
    return kind->adobe ? inks[c] * inks[3] / 255 : (255 - inks[c]) * (255 - inks[3]) / 255;
}

static void check_jpeg(const JpegKind *kind, int side)
{
    uint8_t pixels[32 * 32 * 4];
    const int channels = kind->given == JCS_GRAYSCALE ? 1 : kind->given == JCS_RGB ? 3 : 4;
    for (int p = 0; p < side * side; p++)
        for (int c = 0; c < channels; c++)
            pixels[p * channels + c] = slope(p % side, p / side, c);
    MadeFile file = made_jpeg(kind, side, side, pixels);
    Picture picture;
    assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
    ck_assert_int_eq(picture.channels, channels == 1 ? 1 : 3);
    for (int p = 0; p < side * side; p++)
        for (int c = 0; c < picture.channels; c++) {
            const int expected =
                channels == 4 ? light_of(kind, pixels + 4 * p, c) : pixels[p * channels + c];
            const int found = picture.pixels[p * picture.channels + c];
            ck_assert_msg(abs(found - expected) <= 8, "stored as %d: %d at pixel %d, expected %d",
                          kind->stored, found, p, expected);
        }
    picture_free(&picture);
    free(file.bytes);
}

START_TEST(every_kind_of_jpeg_is_read)
{
    static const J_COLOR_SPACE spaces[][2] = {{JCS_GRAYSCALE, JCS_GRAYSCALE},
                                              {JCS_RGB, JCS_YCbCr},
                                              {JCS_RGB, JCS_RGB},
                                              {JCS_CMYK, JCS_CMYK},
                                              {JCS_CMYK, JCS_YCCK}};
    int count = 0;
    for (int s = 0; s < 5; s++)
        for (int way = 0; way < 8; way++)
            for (int odd = 0; odd < 2; odd++) {
                const JpegKind kind = {.given = spaces[s][0],
                                       .stored = spaces[s][1],
                                       .progressive = way & 1,
                                       .halved = way & 2,
                                       .restart_rows = way & 4 ? 1 : 0,
                                       .adobe = spaces[s][1] != JCS_GRAYSCALE};
                check_jpeg(&kind, odd ? 17 : 16);
                count++;
            }
    const JpegKind plain = {.given = JCS_CMYK, .stored = JCS_CMYK}; /* without Adobe's marker */
    check_jpeg(&plain, 16);
    ck_assert_int_eq(count, 80);
}
END_TEST

/* -- Orientation and profiles ------------------------------------------------------------------ */

START_TEST(the_orientation_of_exif_is_applied)
{
    /* Stored as 1 2 3 / 4 5 6; the rows that a viewer shows. */
    static const char *const shown[9] = {"",         "123/456",  "321/654",  "654/321", "456/123",
                                         "14/25/36", "41/52/63", "63/52/41", "36/25/14"};
    const uint16_t samples[6] = {1, 2, 3, 4, 5, 6};
    for (int o = 1; o <= 8; o++) {
        const PngKind kind = {.type = PNG_COLOR_TYPE_GRAY, .depth = 8, .orientation = o};
        MadeFile file = made_png(&kind, 3, 2, samples);
        Picture picture;
        char found[16] = "";
        assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
        for (int y = 0, at = 0; y < picture.height; y++) {
            if (y > 0)
                found[at++] = '/';
            for (int x = 0; x < picture.width; x++)
                found[at++] = (char)('0' + picture.pixels[y * picture.width + x]);
        }
        ck_assert_str_eq(found, shown[o]);
        picture_free(&picture);
        free(file.bytes);
    }
    uint8_t pixels[16 * 8] = {0};
    const JpegKind kind = {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .orientation = 6};
    MadeFile file = made_jpeg(&kind, 16, 8, pixels);
    Picture picture;
    assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
    ck_assert(picture.width == 8 && picture.height == 16);
    picture_free(&picture);
    free(file.bytes);
}
END_TEST

START_TEST(the_decoder_of_jpeg_has_a_name)
{
    ck_assert_int_eq(strncmp(picture_jpeg_library(), "libjpeg", 7), 0);
}
END_TEST

START_TEST(a_colour_profile_is_seen)
{
    uint8_t pixels[64] = {0};
    for (int with = 0; with < 2; with++) {
        const JpegKind kind = {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .profile = with};
        MadeFile file = made_jpeg(&kind, 8, 8, pixels);
        Picture picture;
        assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
        ck_assert_int_eq(picture.has_profile, with);
        picture_free(&picture);
        free(file.bytes);
    }
}
END_TEST

/* -- Broken pictures --------------------------------------------------------------------------- */

/* Wherever a picture is cut off it is refused, but behind its last pixel. */
static void check_cuts(MadeFile file, size_t tail)
{
    Picture picture;
    assert_ok(picture_decode(&picture, file.bytes, file.size, &error));
    picture_free(&picture);
    for (size_t cut = 0; cut < file.size - tail; cut++) {
        uint8_t *part = malloc(cut + 1); /* of this size, so that a sanitizer sees reads beyond */
        memcpy(part, file.bytes, cut);
        ck_assert_msg(!picture_decode(&picture, part, cut, &error), "%zu of %zu bytes", cut,
                      file.size);
        ck_assert_ptr_null(picture.pixels);
        ck_assert_int_eq(error.kind, ERROR_INPUT);
        free(part);
    }
    free(file.bytes);
}

START_TEST(truncated_pictures_are_refused)
{
    uint8_t pixels[16 * 16 * 3];
    for (int i = 0; i < 16 * 16 * 3; i++)
        pixels[i] = (uint8_t)(i * 37);
    check_cuts(made_plain_png(8, 8, 3, pixels), 0);
    JpegKind kind = {.given = JCS_RGB, .stored = JCS_YCbCr};
    check_cuts(made_jpeg(&kind, 16, 16, pixels), 0);
    kind.progressive = true;
    check_cuts(made_jpeg(&kind, 16, 16, pixels), 0);
}
END_TEST

static void decode_fails(const uint8_t *bytes, size_t size, const char *text)
{
    Picture picture;
    assert_fails(picture_decode(&picture, bytes, size, &error), text);
}

START_TEST(damaged_pictures_are_refused)
{
    uint8_t pixels[8 * 8] = {0};
    MadeFile file = made_plain_png(8, 8, 1, pixels);
    decode_fails(file.bytes, file.size - 1, "is truncated");
    file.bytes[file.size - 20] ^= 1;
    decode_fails(file.bytes, file.size, "is a damaged PNG (");
    free(file.bytes);
    decode_fails((const uint8_t *)"GIF89a", 6, "is neither PNG nor JPEG");
    decode_fails(NULL, 0, "is neither PNG nor JPEG");
}
END_TEST

/* A header of a few bytes that announces gigabytes. */
START_TEST(bombs_are_refused)
{
    uint16_t sample = 0;
    const PngKind kind = {.type = PNG_COLOR_TYPE_GRAY, .depth = 8};
    MadeFile file = made_png(&kind, 1, 1, &sample);
    static const uint32_t sides[2] = {65000, 2000000000};
    for (int i = 0; i < 2; i++) {
        for (int b = 0; b < 4; b++)
            file.bytes[16 + b] = file.bytes[20 + b] = (uint8_t)(sides[i] >> (24 - 8 * b));
        const uint32_t sum = (uint32_t)crc32(0, file.bytes + 12, 17);
        for (int b = 0; b < 4; b++)
            file.bytes[29 + b] = (uint8_t)(sum >> (24 - 8 * b));
        Picture picture;
        ck_assert(!picture_decode(&picture, file.bytes, file.size, &error));
        ck_assert_int_eq(error.kind, ERROR_INPUT);
        ck_assert(i > 0 || strstr(error.message, "has 65000 x 65000 pixels, expected at most"));
    }
    free(file.bytes);
}
END_TEST

/* -- Fitting ----------------------------------------------------------------------------------- */

static Picture picture_of(int width, int height, int channels, uint8_t *pixels)
{
    return (Picture){.width = width, .height = height, .channels = channels, .pixels = pixels};
}

START_TEST(pictures_of_the_right_size_are_taken_as_they_are)
{
    uint8_t pixels[16], image[48];
    for (int i = 0; i < 16; i++)
        pixels[i] = (uint8_t)(i * 15);
    const Picture picture = picture_of(4, 4, 1, pixels);
    PictureRule rule = {.resolution = 4, .channels = 1};
    assert_ok(picture_fit(&picture, &rule, image, &error));
    ck_assert_mem_eq(image, pixels, 16);
    rule.channels = 3; /* grey becomes three equal channels */
    assert_ok(picture_fit(&picture, &rule, image, &error));
    for (int i = 0; i < 48; i++)
        ck_assert_uint_eq(image[i], pixels[i / 3]);
    rule.resize = RESIZE_CENTER_CROP;
    assert_ok(picture_fit(&picture, &rule, image, &error));
    ck_assert_uint_eq(image[47], pixels[15]);
}
END_TEST

START_TEST(nothing_is_scaled_or_dropped_silently)
{
    uint8_t pixels[6 * 4 * 4] = {0}, image[48];
    Picture picture = picture_of(6, 4, 1, pixels);
    PictureRule rule = {.resolution = 4, .channels = 1};
    assert_fails(picture_fit(&picture, &rule, image, &error),
                 "has 6 x 4 pixels, but data.resolution is 4 (data.resize: center_crop shrinks "
                 "larger pictures)");
    rule.resolution = 5;
    rule.resize = RESIZE_CENTER_CROP;
    assert_fails(picture_fit(&picture, &rule, image, &error),
                 "has 6 x 4 pixels, expected at least 5 x 5; pictures are never enlarged");
    pixels[1] = 1;
    rule = (PictureRule){.resolution = 4, .channels = 1};
    picture = picture_of(4, 4, 3, pixels);
    assert_fails(picture_fit(&picture, &rule, image, &error),
                 "has colours, but data.channels is 1");
    pixels[1] = 0; /* three equal channels are grey */
    assert_ok(picture_fit(&picture, &rule, image, &error));
}
END_TEST

START_TEST(transparent_pixels_need_a_background)
{
    uint8_t pixels[4 * 4 * 2], image[16];
    for (int i = 0; i < 16; i++) {
        pixels[2 * i] = 100;
        pixels[2 * i + 1] = 255;
    }
    const Picture picture = picture_of(4, 4, 2, pixels);
    PictureRule rule = {.resolution = 4, .channels = 1};
    assert_ok(picture_fit(&picture, &rule, image, &error)); /* opaque */
    pixels[1] = 51;                                         /* a fifth */
    assert_fails(picture_fit(&picture, &rule, image, &error),
                 "has transparent pixels; say by data.background what is behind them: black, grey "
                 "or white");
    static const int expected[][2] = {
        {BACKGROUND_BLACK, 20}, {BACKGROUND_GREY, 122}, {BACKGROUND_WHITE, 224}};
    for (int i = 0; i < 3; i++) {
        rule.background = (DataBackground)expected[i][0];
        assert_ok(picture_fit(&picture, &rule, image, &error));
        ck_assert_int_eq(image[0], expected[i][1]);
        ck_assert_int_eq(image[1], 100);
    }
}
END_TEST

/* The middle of the picture, and the exact mean over areas, against sums in double. */
START_TEST(center_crop_takes_the_mean_over_areas)
{
    enum { W = 23, H = 17, R = 5 };
    uint8_t pixels[W * H], image[R * R];
    for (int i = 0; i < W * H; i++)
        pixels[i] = (uint8_t)(i * i * 7 + i * 13);
    const Picture picture = picture_of(W, H, 1, pixels);
    const PictureRule rule = {.resolution = R, .channels = 1, .resize = RESIZE_CENTER_CROP};
    assert_ok(picture_fit(&picture, &rule, image, &error));
    for (int y = 0; y < R; y++)
        for (int x = 0; x < R; x++) {
            double sum = 0;
            const double s = (double)H / R;
            for (int v = 0; v < H; v++)
                for (int u = 0; u < H; u++) {
                    const double down = fmin((y + 1) * s, v + 1) - fmax(y * s, v);
                    const double across = fmin((x + 1) * s, u + 1) - fmax(x * s, u);
                    if (down > 0 && across > 0)
                        sum += down * across * pixels[v * W + u + (W - H) / 2];
                }
            ck_assert_msg(fabs(image[y * R + x] - sum / (s * s)) <= 0.5 + 1e-9, "%d for %g",
                          image[y * R + x], sum / (s * s));
        }
}
END_TEST

/* -- Directories and archives ------------------------------------------------------------------ */

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

/* -- The same images everywhere ---------------------------------------------------------------- */

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

SUITE_MAIN("pictures", every_kind_of_png_is_read, every_kind_of_jpeg_is_read,
           the_orientation_of_exif_is_applied, a_colour_profile_is_seen,
           the_decoder_of_jpeg_has_a_name, truncated_pictures_are_refused,
           damaged_pictures_are_refused, bombs_are_refused,
           pictures_of_the_right_size_are_taken_as_they_are, nothing_is_scaled_or_dropped_silently,
           transparent_pixels_need_a_background, center_crop_takes_the_mean_over_areas,
           pictures_come_in_the_order_of_their_names, a_broken_picture_stops_or_is_left_out,
           directories_are_labels_and_notes_tell_what_is_left_out,
           the_same_images_are_the_same_data_set_in_every_format,
           the_same_images_give_the_same_hundred_losses_in_every_format)
