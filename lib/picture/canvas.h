/* Canvases: pictures of grey or colour pixels to draw on.
 *
 *     Canvas canvas;
 *     bool ok = canvas_make(&canvas, 100, 50, 3, 255, error);
 *     canvas_draw_text(&canvas, 4, 4, "steps", 2, 0);
 *     ok = ok && canvas_write_png(&canvas, "steps.png", error);        (picture/png.h)
 *     canvas_free(&canvas);
 *
 * Images come as the program holds them, NHWC float32 in [-1, 1]; -1 is black. Values beyond are
 * clamped, and NaN is black. Drawing beyond the edges of a canvas is cut off.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Pixels along a side of the largest canvas. */
enum { CANVAS_MAX_SIDE = 65536 };

typedef struct Canvas {
    int width;
    int height;
    /* 1: grey, 3: RGB. */
    int channels;
    /* [height, width, channels] */
    uint8_t *pixels;
} Canvas;

/* Whether a picture can show images of that many channels: to be asked before long work. Input
 * error that says what to do instead. */
bool image_check_channels(int channels, Error *error);

/* Makes a canvas of one grey level, 0 black to 255 white. Input error if the size or the channels
 * are impossible; run-time error if there is no memory. The caller frees it. */
bool canvas_make(Canvas *canvas, int width, int height, int channels, uint8_t level, Error *error);

/* Fine on a zeroed struct. */
void canvas_free(Canvas *canvas);

/* Fills a rectangle, whose upper left corner is (x, y), with a grey level. */
void canvas_fill(Canvas *canvas, int x, int y, int width, int height, uint8_t level);

/* Draws image [height, width, channels] with its upper left corner at (x, y). Each of its pixels
 * becomes a square with a side of `scale` pixels. `channels` is 1, or that of the canvas. */
void canvas_draw_image(Canvas *canvas, int x, int y, const float *image, int height, int width,
                       int channels, int scale);

/* Draws a line of printable ASCII (picture/font.h), 7 * scale pixels high. */
void canvas_draw_text(Canvas *canvas, int x, int y, const char *text, int scale, uint8_t level);
int canvas_text_width(const char *text, int scale);
