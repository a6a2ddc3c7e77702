/* Draws on a canvas: rectangles, images whose pixels become squares, text in a font of 5x7 pixels.
 *
 * Everything is made of filled rectangles, which are cut off at the edges in one place.
 */
#include "picture/canvas.h"

#include "base/memory.h"
#include "base/pixel.h"
#include "picture/font.h"

#include <assert.h>
#include <string.h>

bool image_check_channels(int channels, Error *error)
{
    if (channels == 1 || channels == 3)
        return true;
    return error_input(error,
                       "a PNG shows images of 1 or 3 channels, these have %d: write them to a .h5 "
                       "file instead",
                       channels);
}

bool canvas_make(Canvas *canvas, int width, int height, int channels, uint8_t level, Error *error)
{
    *canvas = (Canvas){.width = width, .height = height, .channels = channels};
    if (!image_check_channels(channels, error))
        return false;
    if (width < 1 || height < 1 || width > CANVAS_MAX_SIDE || height > CANVAS_MAX_SIDE)
        return error_input(error, "a picture of %d x %d pixels: expected 1 to %d on each side",
                           width, height, CANVAS_MAX_SIDE);
    size_t bytes = (size_t)width * (size_t)height * (size_t)channels;
    canvas->pixels = memory_large(bytes, 1, "picture", error);
    if (canvas->pixels == NULL)
        return false;
    memset(canvas->pixels, level, bytes);
    return true;
}

void canvas_free(Canvas *canvas)
{
    memory_free(canvas->pixels);
    *canvas = (Canvas){0};
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* Fills a rectangle, as far as it lies on the canvas, with colour [channels]. Everything is drawn
 * by this. */
static void fill_colour(Canvas *canvas, int x, int y, int width, int height,
                        const uint8_t colour[3])
{
    assert(canvas->channels == 1 || canvas->channels == 3);
    int left = clamp(x, 0, canvas->width);
    int right = clamp(x + width, 0, canvas->width);
    int top = clamp(y, 0, canvas->height);
    int bottom = clamp(y + height, 0, canvas->height);
    for (int row = top; row < bottom; row++) {
        uint8_t *pixel = canvas->pixels + ((size_t)row * (size_t)canvas->width + (size_t)left) *
                                              (size_t)canvas->channels;
        for (int column = left; column < right; column++)
            for (int c = 0; c < canvas->channels; c++)
                *pixel++ = colour[c];
    }
}

void canvas_fill(Canvas *canvas, int x, int y, int width, int height, uint8_t level)
{
    fill_colour(canvas, x, y, width, height, (uint8_t[3]){level, level, level});
}

void canvas_draw_image(Canvas *canvas, int x, int y, const float *image, int height, int width,
                       int channels, int scale)
{
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++, image += channels) {
            uint8_t colour[3] = {0};
            for (int c = 0; c < 3; c++)
                colour[c] = byte_of_pixel(image[channels == 3 ? c : 0]);
            fill_colour(canvas, x + column * scale, y + row * scale, scale, scale, colour);
        }
    }
}

void canvas_draw_text(Canvas *canvas, int x, int y, const char *text, int scale, uint8_t level)
{
    for (; *text != '\0'; text++, x += FONT_ADVANCE * scale)
        for (int row = 0; row < FONT_HEIGHT; row++)
            for (int column = 0; column < FONT_WIDTH; column++)
                if (font_pixel(*text, column, row))
                    canvas_fill(canvas, x + column * scale, y + row * scale, scale, scale, level);
}

int canvas_text_width(const char *text, int scale)
{
    int length = (int)strlen(text);
    return length > 0 ? (length * FONT_ADVANCE - (FONT_ADVANCE - FONT_WIDTH)) * scale : 0;
}
