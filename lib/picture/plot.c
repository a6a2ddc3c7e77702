/* Draws a chart: the range of the axes is fitted to the points, then grid, axes, series and legend
 * are drawn.
 *
 * The legend is laid out twice, once to know how many lines it takes, once to draw it.
 */
#include "picture/plot.h"

#include "base/memory.h"
#include "io/file_kind.h"

#include <cairo-svg.h>
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEFT = 66, RIGHT = 14, TOP = 12, AXIS = 46, LEGEND_LINE = 20, MARK = 3, MOST_MARKED = 30 };

static const double font_size = 14;

typedef struct Colour {
    double red, green, blue;
} Colour;

/* Okabe and Ito's palette, which colour-blind readers can tell apart; brighter for dark pages,
 * darker for light ones, where its yellow could not be seen. */
static const Colour palette[2][PLOT_COLOURS] = {{{0.70, 0.35, 0.55},
                                                 {0.50, 0.50, 0.50},
                                                 {0.00, 0.50, 0.36},
                                                 {0.50, 0.40, 0.00},
                                                 {0.00, 0.45, 0.70},
                                                 {0.84, 0.37, 0.00},
                                                 {0.10, 0.10, 0.10}},
                                                {{0.90, 0.60, 0.78},
                                                 {0.65, 0.65, 0.65},
                                                 {0.20, 0.80, 0.60},
                                                 {0.94, 0.89, 0.26},
                                                 {0.34, 0.71, 0.96},
                                                 {1.00, 0.60, 0.25},
                                                 {0.95, 0.95, 0.95}}};
static const Colour ink[2] = {{0.13, 0.13, 0.13}, {0.88, 0.88, 0.88}};
static const Colour grid_ink[2] = {{0.86, 0.86, 0.86}, {0.28, 0.28, 0.28}};
static const Colour paper[2] = {{1, 1, 1}, {0.09, 0.10, 0.11}};

typedef struct Axis {
    double low, high;
    bool logarithmic;
    /* The places of `low` and `high` in the picture. */
    double from, to;
} Axis;

/* -- Axes -------------------------------------------------------------------------------------- */

static int linear_ticks(double low, double high, double *ticks)
{
    const double rough = (high - low) / 5, power = pow(10, floor(log10(rough)));
    const double part = rough / power;
    const double step = power * (part < 1.5 ? 1 : part < 3 ? 2 : part < 7 ? 5 : 10);
    int count = 0;
    const double slack = 1e-9 * (high - low);
    const double first = ceil((low - slack) / step);
    while (count < PLOT_MAX_TICKS && (first + count) * step <= high + slack) {
        const double multiple = first + count;
        ticks[count++] = multiple == 0 ? 0 : multiple * step; /* not -0 */
    }
    return count;
}

static int log_ticks(double low, double high, double *ticks)
{
    static const double parts[] = {1, 2, 5};
    const double decades = log10(high / low);
    const int first = (int)floor(log10(low)), last = (int)ceil(log10(high));
    const int each = decades <= 3 ? 3 : 1, stride = 1 + (int)(decades / 8);
    int count = 0;
    for (int decade = first; decade <= last; decade += stride)
        for (int p = 0; p < each; p++) {
            const double tick = parts[p] * pow(10, decade);
            if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9) && count < PLOT_MAX_TICKS)
                ticks[count++] = tick;
        }
    return count;
}

int plot_ticks(double low, double high, bool logarithmic, double *ticks)
{
    if (!(low < high) || !isfinite(low) || !isfinite(high) || (logarithmic && !(low > 0)))
        return 0;
    const int count = logarithmic ? log_ticks(low, high, ticks) : linear_ticks(low, high, ticks);
    /* Half a decade may hold a single round number; then the ticks are those of a linear axis. */
    return logarithmic && count < 3 ? linear_ticks(low, high, ticks) : count;
}

static bool shown(const Axis *axis, double value)
{
    return isfinite(value) && (!axis->logarithmic || value > 0);
}

static void include(Axis *axis, double value)
{
    if (!shown(axis, value))
        return;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

/* Adds room at both ends, and gives equal values a range. */
static void widen(Axis *axis)
{
    if (!(axis->low <= axis->high))
        axis->low = axis->high = 1;
    if (axis->logarithmic) {
        const double part = pow(axis->high / axis->low, 0.05);
        axis->low /= fmax(part, 1.02);
        axis->high *= fmax(part, 1.02);
        return;
    }
    double room = 0.05 * (axis->high - axis->low);
    if (!(room > 0))
        room = fmax(0.05 * fabs(axis->high), 1e-6);
    axis->low -= room;
    axis->high += room;
}

static void fit(const Plot *plot, Axis *x, Axis *y)
{
    for (int s = 0; s < plot->count; s++) {
        const PlotSeries *series = &plot->series[s];
        for (int i = 0; i < series->count; i++) {
            if (!series->level)
                include(x, series->x[i]);
            include(y, series->y[i]);
            if (series->error && isfinite(series->error[i])) {
                include(y, series->y[i] - series->error[i]);
                include(y, series->y[i] + series->error[i]);
            }
        }
    }
    widen(x);
    widen(y);
}

static double place(const Axis *axis, double value)
{
    const double part = axis->logarithmic ? log(value / axis->low) / log(axis->high / axis->low)
                                          : (value - axis->low) / (axis->high - axis->low);
    return axis->from + part * (axis->to - axis->from);
}

/* -- Drawing ----------------------------------------------------------------------------------- */

static void use(cairo_t *to, Colour colour)
{
    cairo_set_source_rgb(to, colour.red, colour.green, colour.blue);
}

static double text_width(cairo_t *to, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(to, text, &extents);
    return extents.x_advance;
}

/* Text whose `part` (0: its left end, 1: its right end) is at x. */
static void draw_text(cairo_t *to, double x, double y, double part, const char *text)
{
    cairo_move_to(to, x - part * text_width(to, text), y);
    cairo_show_text(to, text);
}

static void line(cairo_t *to, double x_1, double y_1, double x_2, double y_2)
{
    cairo_move_to(to, x_1, y_1);
    cairo_line_to(to, x_2, y_2);
    cairo_stroke(to);
}

static void draw_axes(cairo_t *to, const Plot *plot, const Axis *x, const Axis *y, bool dark)
{
    double ticks[PLOT_MAX_TICKS];
    char text[32];
    cairo_set_line_width(to, 1);
    int count = plot_ticks(x->low, x->high, x->logarithmic, ticks);
    for (int i = 0; i < count; i++) {
        const double at = place(x, ticks[i]);
        use(to, grid_ink[dark]);
        line(to, at, y->from, at, y->to);
        use(to, ink[dark]);
        snprintf(text, sizeof text, "%.4g", ticks[i]);
        draw_text(to, at, y->from + 18, 0.5, text);
    }
    count = plot_ticks(y->low, y->high, y->logarithmic, ticks);
    for (int i = 0; i < count; i++) {
        const double at = place(y, ticks[i]);
        use(to, grid_ink[dark]);
        line(to, x->from, at, x->to, at);
        use(to, ink[dark]);
        snprintf(text, sizeof text, "%.4g", ticks[i]);
        draw_text(to, x->from - 6, at + 5, 1, text);
    }
    cairo_rectangle(to, x->from, y->to, x->to - x->from, y->from - y->to);
    cairo_stroke(to);
    draw_text(to, (x->from + x->to) / 2, y->from + 38, 0.5, plot->x_label);
    cairo_save(to);
    cairo_translate(to, 15, (y->from + y->to) / 2);
    cairo_rotate(to, -acos(-1) / 2);
    draw_text(to, 0, 0, 0.5, plot->y_label);
    cairo_restore(to);
}

/* The end of a point's error bar, below it for side -1 and above it for 1; the point itself if it
 * has no bar. */
static double bar_end(const PlotSeries *series, const Axis *y, int i, int side)
{
    const bool bar = series->error && isfinite(series->error[i]);
    const double end = series->y[i] + (bar ? side * series->error[i] : 0);
    return shown(y, end) ? place(y, end) : y->from;
}

static void draw_bars(cairo_t *to, const PlotSeries *series, const Axis *x, const Axis *y)
{
    for (int i = 0; i < series->count; i++)
        if (shown(x, series->x[i]) && shown(y, series->y[i])) {
            const double at = place(x, series->x[i]);
            line(to, at, bar_end(series, y, i, -1), at, bar_end(series, y, i, 1));
        }
}

/* The bars of a curve, as an area. */
static void draw_band(cairo_t *to, const PlotSeries *series, const Axis *x, const Axis *y,
                      Colour colour)
{
    const int n = series->count;
    cairo_new_path(to);
    for (int side = 1; side >= -1; side -= 2)
        for (int k = 0; k < n; k++) {
            const int i =
                side > 0 ? k : n - 1 - k; /* forth along the upper ends, back along the lower */
            if (shown(x, series->x[i]) && shown(y, series->y[i]))
                cairo_line_to(to, place(x, series->x[i]), bar_end(series, y, i, side));
        }
    cairo_set_source_rgba(to, colour.red, colour.green, colour.blue, 0.25);
    cairo_fill(to);
    use(to, colour);
}

/* The dashes of a series' line: levels are dashed, looks after the first PLOT_COLOURS are dotted. */
static void set_dashes(cairo_t *to, const PlotSeries *series)
{
    static const double dashes[] = {6, 4}, dots[] = {2, 3};
    const bool dotted = !series->level && series->look % PLOT_LOOKS >= PLOT_COLOURS;
    cairo_set_dash(to, dotted ? dots : dashes, series->level || dotted ? 2 : 0, 0);
}

static void set_solid(cairo_t *to)
{
    cairo_set_dash(to, NULL, 0, 0);
}

static Colour colour_of(const PlotSeries *series, bool dark)
{
    return series->level ? ink[dark] : palette[dark][series->look % PLOT_COLOURS];
}

/* Draws a line through the points, and marks them if they are few. */
static void draw_points(cairo_t *to, const PlotSeries *series, const Axis *x, const Axis *y)
{
    const double radius = series->count <= MOST_MARKED ? MARK : 0;
    cairo_new_path(to);
    for (int i = 0; i < series->count; i++)
        if (shown(x, series->x[i]) && shown(y, series->y[i]))
            cairo_line_to(to, place(x, series->x[i]), place(y, series->y[i]));
    set_dashes(to, series);
    cairo_stroke(to);
    set_solid(to);
    for (int i = 0; radius > 0 && i < series->count; i++)
        if (shown(x, series->x[i]) && shown(y, series->y[i])) {
            cairo_arc(to, place(x, series->x[i]), place(y, series->y[i]), radius, 0, 2 * acos(-1));
            cairo_fill(to);
        }
}

static void draw_series(cairo_t *to, const PlotSeries *series, const Axis *x, const Axis *y,
                        bool dark)
{
    use(to, colour_of(series, dark));
    if (series->level) {
        set_dashes(to, series);
        if (series->count > 0 && shown(y, series->y[0]))
            line(to, x->from, place(y, series->y[0]), x->to, place(y, series->y[0]));
        set_solid(to);
        return;
    }
    cairo_set_line_width(to, 1.2);
    if (series->count <= MOST_MARKED)
        draw_bars(to, series, x, y);
    else
        draw_band(to, series, x, y, colour_of(series, dark));
    cairo_set_line_width(to, series->count <= MOST_MARKED ? 2 : 1.2);
    draw_points(to, series, x, y);
}

/* Lays the legend out below `top`, and draws it if asked to. Returns its number of lines. */
static int legend(cairo_t *to, const Plot *plot, double top, bool dark, bool draw)
{
    double at = LEFT;
    int lines = plot->count > 0;
    for (int s = 0; s < plot->count; s++) {
        const PlotSeries *series = &plot->series[s];
        const double width = 26 + text_width(to, series->name) + 16;
        if (at + width > PLOT_WIDTH - RIGHT + 16 && at > LEFT) {
            at = LEFT;
            lines++;
        }
        const double y = top + (lines - 1) * LEGEND_LINE + 10;
        if (draw) {
            use(to, colour_of(series, dark));
            cairo_set_line_width(to, series->level ? 2 : 3);
            set_dashes(to, series);
            line(to, at, y, at + 20, y);
            set_solid(to);
            use(to, ink[dark]);
            draw_text(to, at + 26, y + 5, 0, series->name);
        }
        at += width;
    }
    return lines;
}

static void draw(cairo_t *to, const Plot *plot, bool dark)
{
    cairo_select_font_face(to, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(to, font_size);
    cairo_set_line_join(to, CAIRO_LINE_JOIN_ROUND);
    const int lines = legend(to, plot, 0, dark, false);
    const double bottom = PLOT_HEIGHT - AXIS - lines * LEGEND_LINE;
    Axis x = {INFINITY, -INFINITY, plot->log_x, LEFT, PLOT_WIDTH - RIGHT};
    Axis y = {INFINITY, -INFINITY, plot->log_y, bottom, TOP};
    fit(plot, &x, &y);
    draw_axes(to, plot, &x, &y, dark);
    for (int s = 0; s < plot->count; s++)
        draw_series(to, &plot->series[s], &x, &y, dark);
    legend(to, plot, bottom + AXIS, dark, true);
}

/* -- Files ------------------------------------------------------------------------------------- */

static cairo_status_t append(void *closure, const unsigned char *data, unsigned int size)
{
    PlotBytes *bytes = closure;
    bytes->data = memory_grow(bytes->data, bytes->size + size, 1);
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return CAIRO_STATUS_SUCCESS;
}

static cairo_surface_t *surface_of(PlotFormat format, PlotBytes *bytes)
{
    if (format == PLOT_SVG)
        return cairo_svg_surface_create_for_stream(append, bytes, PLOT_WIDTH, PLOT_HEIGHT);
    return cairo_image_surface_create(CAIRO_FORMAT_RGB24, PLOT_WIDTH * PLOT_PNG_SCALE,
                                      PLOT_HEIGHT * PLOT_PNG_SCALE);
}

/* Marks the file as a chart of varhead, so that another may replace it (io/file_kind.h). */
static void mark(PlotFormat format, PlotBytes *bytes)
{
    static const char end[] = "</svg>\n"; /* which the ending has, too */
    const char *ending = file_kind_ending(FILE_CHART);
    const size_t ends = strlen(end);
    if (format == PLOT_SVG) {
        if (bytes->size > ends && memcmp(bytes->data + bytes->size - ends, end, ends) == 0)
            bytes->size -= ends;
        append(bytes, (const unsigned char *)ending, (unsigned)strlen(ending));
        return;
    }
    unsigned char *marked = file_kind_mark_png(bytes->data, &bytes->size);
    memory_free(bytes->data);
    bytes->data = marked;
}

bool plot_render(const Plot *plot, PlotFormat format, bool dark, PlotBytes *bytes, Error *error)
{
    *bytes = (PlotBytes){0};
    cairo_surface_t *surface = surface_of(format, bytes);
    cairo_t *to = cairo_create(surface);
    if (format == PLOT_PNG) {
        use(to, paper[dark]);
        cairo_paint(to);
        cairo_scale(to, PLOT_PNG_SCALE, PLOT_PNG_SCALE);
    }
    draw(to, plot, dark);
    cairo_status_t status = cairo_status(to);
    cairo_destroy(to);
    if (format == PLOT_PNG && status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_write_to_png_stream(surface, append, bytes);
    cairo_surface_finish(surface); /* an SVG is written here */
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (status == CAIRO_STATUS_SUCCESS) {
        mark(format, bytes);
        return true;
    }
    memory_free(bytes->data);
    *bytes = (PlotBytes){0};
    return error_runtime(error, "a chart cannot be drawn: %s", cairo_status_to_string(status));
}
