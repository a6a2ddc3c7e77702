/* Line charts with error bars, drawn by cairo: the one door to that library.
 *
 *     const Plot plot = {.x_label = "steps K", .y_label = "bits/dim", .log_x = true,
 *                        .series = series, .count = 2};
 *     plot_render(&plot, PLOT_SVG, false, &bytes, &error)
 *
 * A chart is drawn for a light or a dark page, on no background in SVG, so that the page's own shows, and on a
 * white one (or a dark one) in PNG. The axes fit the points; values that can't be shown (not finite, or not
 * positive on a logarithmic axis) are left out, and the line goes on behind them.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { PLOT_WIDTH = 520, PLOT_HEIGHT = 380, PLOT_PNG_SCALE = 2, PLOT_MAX_TICKS = 16 };

typedef enum PlotFormat { PLOT_SVG, PLOT_PNG } PlotFormat;

typedef struct PlotSeries {
    const char *name; /* in the legend */
    int colour;       /* 0 and up: series of one colour in two charts mean the same */
    bool level; /* a dashed line over the whole width at y[0], in no colour: a bound, a floor */
    int count;  /* points, in ascending x */
    const double *x, *y; /* [count]; x isn't read where `level` */
    const double
        *error; /* [count], half the length of a bar, of many points a band; NULL, NaN: none */
} PlotSeries;

typedef struct Plot {
    const char *x_label, *y_label;
    bool log_x, log_y;
    const PlotSeries *series; /* [count] */
    int count;
} Plot;

typedef struct PlotBytes {
    unsigned char *data; /* of a file; memory_free */
    size_t size;
} PlotBytes;

/* ticks [PLOT_MAX_TICKS] := round values in [low, high], ascending, three to ten or so of them: 1, 2 or 5
 * times a power of ten apart; on a logarithmic axis (0 < low) powers of ten with 2 and 5 times them, as far
 * as there is room. Returns their number, 0 where low < high doesn't hold. */
int plot_ticks(double low, double high, bool logarithmic, double *ticks);

/* bytes := the chart as a file. Fails for want of memory alone. */
bool plot_render(const Plot *plot, PlotFormat format, bool dark, PlotBytes *bytes, Error *error);
