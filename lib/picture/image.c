#include "picture/image.h"

#include "base/atomic_file.h"
#include "base/memory.h"
#include "io/file_kind.h"
#include "picture/font.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_SIDE = 65536, /* pixels of a canvas */
    BACKGROUND = 255,
    INK = 0,
};

uint8_t image_byte(float x)
{
    if (!(x > -1.0f)) /* not a number, too */
        return 0;
    return x < 1.0f ? (uint8_t)lrintf(127.5f * (x + 1.0f)) : 255;
}

bool image_check_channels(int channels, Error *error)
{
    if (channels == 1 || channels == 3)
        return true;
    return error_input(error,
                       "a PNG shows images of 1 or 3 channels, these have %d: write them to a .h5 "
                       "file instead",
                       channels);
}

/* -- Drawing ----------------------------------------------------------------------------------- */

bool canvas_make(Canvas *canvas, int width, int height, int channels, uint8_t level, Error *error)
{
    *canvas = (Canvas){.width = width, .height = height, .channels = channels};
    if (!image_check_channels(channels, error))
        return false;
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE)
        return error_input(error, "a picture of %d x %d pixels: expected 1 to %d on each side",
                           width, height, MAX_SIDE);
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

/* The square or rectangle of one colour that everything is drawn with; colour [channels]. */
static void fill_colour(Canvas *canvas, int x, int y, int width, int height,
                        const uint8_t colour[3])
{
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
                colour[c] = image_byte(image[channels == 3 ? c : 0]);
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

/* -- PNG --------------------------------------------------------------------------------------- */

static bool write_all(int fd, const unsigned char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t part = write(fd, bytes + done, size - done);
        if (part < 0 && errno != EINTR)
            return false;
        done += part > 0 ? (size_t)part : 0;
    }
    return true;
}

bool canvas_encode_png(const Canvas *canvas, int fd, const char *path, Error *error)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = (png_uint_32)canvas->width,
        .height = (png_uint_32)canvas->height,
        .format = canvas->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY,
    };
    char *bytes = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&bytes, &size);
    bool encoded = stream && png_image_write_to_stdio(&image, stream, 0, canvas->pixels, 0, NULL);
    encoded = stream && fclose(stream) == 0 && encoded;
    png_image_free(&image);
    if (!encoded) {
        free(bytes);
        return error_runtime(error, "%s: cannot be written: %s", path,
                             image.message[0] ? image.message : "no memory is left");
    }
    unsigned char *marked = file_kind_mark_png((unsigned char *)bytes, &size);
    free(bytes);
    const bool written = write_all(fd, marked, size);
    memory_free(marked);
    return written || error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
}

bool canvas_write_png(const Canvas *canvas, const char *path, Error *error)
{
    AtomicFile file;
    if (!atomic_file_begin(&file, path, file_kind_rule(FILE_PICTURE), error))
        return false;
    if (canvas_encode_png(canvas, file.fd, path, error))
        return atomic_file_commit(&file, error);
    atomic_file_abandon(&file);
    return false;
}

/* -- Grids ------------------------------------------------------------------------------------- */

typedef struct Size {
    int width;
    int height;
} Size;

/* Too large for an int can't be: the sides of a canvas are limited, and so are these before. */
static int side(int count, int length, int scale, int padding)
{
    int64_t total = (int64_t)count * ((int64_t)length * scale + padding) + padding;
    return total > MAX_SIDE ? MAX_SIDE + 1 : (int)total;
}

static Size grid_size(int n, const GridLayout *layout)
{
    int rows = (n + layout->columns - 1) / layout->columns;
    int columns = n < layout->columns ? n : layout->columns;
    return (Size){.width = side(columns, layout->width, layout->scale, layout->padding),
                  .height = side(rows, layout->height, layout->scale, layout->padding)};
}

static void draw_grid(Canvas *canvas, int x, int y, const float *images, int n,
                      const GridLayout *layout)
{
    int step_x = layout->width * layout->scale + layout->padding;
    int step_y = layout->height * layout->scale + layout->padding;
    size_t elements = (size_t)layout->height * (size_t)layout->width * (size_t)layout->channels;
    for (int i = 0; i < n; i++)
        canvas_draw_image(canvas, x + layout->padding + i % layout->columns * step_x,
                          y + layout->padding + i / layout->columns * step_y,
                          images + (size_t)i * elements, layout->height, layout->width,
                          layout->channels, layout->scale);
}

bool image_grid(Canvas *canvas, const float *images, int n, const GridLayout *layout, Error *error)
{
    Size size = grid_size(n, layout);
    if (!canvas_make(canvas, size.width, size.height, layout->channels, BACKGROUND, error))
        return false;
    draw_grid(canvas, 0, 0, images, n, layout);
    return true;
}

/* -- Tables of grids --------------------------------------------------------------------------- */

enum { LABEL_SCALE = 2, LABEL_MARGIN = 6, LABEL_HEIGHT = FONT_HEIGHT * LABEL_SCALE };

/* Where things are: the first cell begins at (left, top), the next ones a step further. */
typedef struct TablePlan {
    int left;
    int top;
    Size cell;
    Size step;
} TablePlan;

static int widest_label(const char *const *labels, int count)
{
    int widest = 0;
    for (int i = 0; i < count; i++) {
        int width = canvas_text_width(labels[i], LABEL_SCALE);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static TablePlan plan_table(const GridTable *table)
{
    TablePlan plan = {
        .left = widest_label(table->row_labels, table->rows) + 2 * LABEL_MARGIN,
        .top = LABEL_HEIGHT + 2 * LABEL_MARGIN,
        .cell = grid_size(table->n, &table->layout),
    };
    int widest = widest_label(table->column_labels, table->columns);
    if (plan.cell.width < widest)
        plan.cell.width = widest;
    plan.step = (Size){plan.cell.width + LABEL_MARGIN, plan.cell.height + LABEL_MARGIN};
    return plan;
}

static void draw_table_labels(Canvas *canvas, const GridTable *table, const TablePlan *plan)
{
    for (int c = 0; c < table->columns; c++) {
        const char *label = table->column_labels[c];
        int centred = (plan->cell.width - canvas_text_width(label, LABEL_SCALE)) / 2;
        canvas_draw_text(canvas, plan->left + c * plan->step.width + centred, LABEL_MARGIN, label,
                         LABEL_SCALE, INK);
    }
    for (int r = 0; r < table->rows; r++) {
        int centred = (plan->cell.height - LABEL_HEIGHT) / 2;
        canvas_draw_text(canvas, LABEL_MARGIN, plan->top + r * plan->step.height + centred,
                         table->row_labels[r], LABEL_SCALE, INK);
    }
}

bool image_grid_table(Canvas *canvas, const GridTable *table, Error *error)
{
    TablePlan plan = plan_table(table);
    int width = plan.left + side(table->columns, plan.cell.width, 1, LABEL_MARGIN);
    int height = plan.top + side(table->rows, plan.cell.height, 1, LABEL_MARGIN);
    if (!canvas_make(canvas, width, height, table->layout.channels, BACKGROUND, error))
        return false;
    draw_table_labels(canvas, table, &plan);
    for (int i = 0; i < table->rows * table->columns; i++)
        if (table->grids[i] != NULL)
            draw_grid(canvas, plan.left + i % table->columns * plan.step.width,
                      plan.top + i / table->columns * plan.step.height, table->grids[i], table->n,
                      &table->layout);
    return true;
}
