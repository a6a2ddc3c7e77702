/* Line charts with error bars, drawn by cairo: the one door to that library.
 *
 *     const Plot plot = {.x_label = "steps K", .y_label = "bits/dim", .log_x = true,
 *                        .series = series, .count = 2};
 *     plot_render(&plot, PLOT_SVG, false, &bytes, &error)
 *
 * A chart is drawn for a light or a dark page: in SVG without a background, so that the page's own
 * shows, in PNG on a white or dark one. The axes fit the points. Values that cannot be shown (not
 * finite, or not positive on a logarithmic axis) are left out, and the line goes on behind them.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Series have looks 0 .. PLOT_LOOKS - 1: first a colour each, with a solid line, then the same
 * colours with a dotted line. */
enum { PLOT_COLOURS = 7, PLOT_LOOKS = 2 * PLOT_COLOURS };

enum { PLOT_WIDTH = 520, PLOT_HEIGHT = 380, PLOT_PNG_SCALE = 2, PLOT_MAX_TICKS = 16 };

typedef enum PlotFormat { PLOT_SVG, PLOT_PNG } PlotFormat;

typedef struct PlotSeries {
    /* In the legend. */
    const char *name;
    /* 0 and up; series that mean the same in two charts have the same look. */
    int look;
    /* Draws a dashed line over the whole width at y[0], without a colour: a bound, a floor. */
    bool level;
    /* [count], in ascending x; x is not read for a level. */
    int count;
    const double *x, *y;
    /* [count]: half the length of each error bar, or of a band if there are many points. NaN: no
     * bar; NULL: none at all. */
    const double *error;
} PlotSeries;

typedef struct Plot {
    const char *x_label, *y_label;
    bool log_x, log_y;
    /* [count] */
    const PlotSeries *series;
    int count;
} Plot;

typedef struct PlotBytes {
    /* [size]: a file, for memory_free. */
    unsigned char *data;
    size_t size;
} PlotBytes;

/* ticks [PLOT_MAX_TICKS] := about three to ten round values in [low, high], ascending: 1, 2 or 5
 * times a power of ten apart. On a logarithmic axis (0 < low) they are powers of ten, with 2 and 5
 * times these if there is room. Returns their number, 0 unless low < high. */
int plot_ticks(double low, double high, bool logarithmic, double *ticks);

/* bytes := the chart as a file. Run-time error if there is no memory. */
bool plot_render(const Plot *plot, PlotFormat format, bool dark, PlotBytes *bytes, Error *error);
