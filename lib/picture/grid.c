/* Lays out grids and tables: the size first, so that the canvas can be made, then the drawing. */
#include "picture/grid.h"

#include "picture/font.h"

#include <stddef.h>
#include <stdint.h>

enum { BACKGROUND = 255, INK = 0 };

/* -- Grids ------------------------------------------------------------------------------------- */

typedef struct Size {
    int width;
    int height;
} Size;

/* Pixels of `count` lengths with padding around each. A side that is too long for a canvas becomes
 * one pixel too long, so that canvas_make refuses it and no int overflows. */
static int side(int count, int length, int scale, int padding)
{
    int64_t total = (int64_t)count * ((int64_t)length * scale + padding) + padding;
    return total > CANVAS_MAX_SIDE ? CANVAS_MAX_SIDE + 1 : (int)total;
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

/* The first cell begins at (left, top), its neighbours a step further. */
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
