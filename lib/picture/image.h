/* Pictures: canvases of grey or colour pixels, grids of images on them, PNG files.
 *
 * Images come as the program holds them, NHWC float32 in [-1, 1]; -1 is black. Values beyond
 * are clamped and what isn't a number is black. A PNG can show 1 channel (grey) or 3 (RGB).
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct Canvas {
    int width;
    int height;
    int channels;    /* 1: grey, 3: RGB */
    uint8_t *pixels; /* [height, width, channels] */
} Canvas;

/* The byte that shows x: the nearest to 255 (x + 1) / 2, within 0 .. 255. */
uint8_t image_byte(float x);

/* Whether images of that many channels can be shown: ask before long work. Input error that
 * says what to do instead. */
bool image_check_channels(int channels, Error *error);

/* A canvas of one grey level: 0 black, 255 white. */
bool canvas_make(Canvas *canvas, int width, int height, int channels, uint8_t level, Error *error);
void canvas_free(Canvas *canvas);

/* What is drawn beyond the edges of a canvas is cut off. `scale` is the side of the square that
 * stands for one pixel. */
void canvas_fill(Canvas *canvas, int x, int y, int width, int height, uint8_t level);

/* Draws image [height, width, channels] with its upper left corner at (x, y). `channels` is 1,
 * or that of the canvas. */
void canvas_draw_image(Canvas *canvas, int x, int y, const float *image, int height, int width,
                       int channels, int scale);

/* Draws a line of printable ASCII (picture/font.h), 7 * scale pixels high. */
void canvas_draw_text(Canvas *canvas, int x, int y, const char *text, int scale, uint8_t level);
int canvas_text_width(const char *text, int scale);

/* Writes a PNG to a file open for writing, which stays open; `path` names it in errors. */
bool canvas_encode_png(const Canvas *canvas, int fd, const char *path, Error *error);

/* Writes a PNG file, whole or not at all (base/atomic_file.h). */
bool canvas_write_png(const Canvas *canvas, const char *path, Error *error);

/* -- Grids ------------------------------------------------------------------------------------- */

/* How a grid is laid out: row by row, padding around every image. */
typedef struct GridLayout {
    int height; /* of one image */
    int width;
    int channels;
    int columns; /* images side by side */
    int scale;
    int padding; /* pixels of the picture, not scaled */
} GridLayout;

/* A canvas with images [n, height, width, channels]; the caller frees it. */
bool image_grid(Canvas *canvas, const float *images, int n, const GridLayout *layout, Error *error);

/* A table of grids with labels: rows of variances, columns of steps, say. */
typedef struct GridTable {
    int rows;
    int columns;
    const char *const *row_labels;    /* [rows] */
    const char *const *column_labels; /* [columns] */
    const float *const *grids;        /* [rows * columns]: images [n, ...]; NULL: left blank */
    int n;                            /* images in each grid */
    GridLayout layout;                /* of each grid */
} GridTable;

bool image_grid_table(Canvas *canvas, const GridTable *table, Error *error);
