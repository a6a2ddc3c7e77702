/* Draws the charts of infer compare.
 *
 * A chart is gathered from the stored tables as series of points. It is written as SVG, as PNG and
 * as CSV of its points, and kept as two SVGs, for light and dark screens, for the page.
 */
#include "infer/compare/compare_figures.h"

#include "base/memory.h"
#include "io/output.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The most series of a chart: a chart with more lines could not be read. */
enum { CHART_SERIES = PLOT_LOOKS };

/* A chart while it is gathered: a series for each row of a table, and one level. */
typedef struct Chart {
    Plot plot;
    PlotSeries series[CHART_SERIES + 1];
    /* [3, count] of each series: x, y, error */
    double *numbers[CHART_SERIES + 1];
    EstimateLabel names[CHART_SERIES];
} Chart;

_Static_assert((int)VARIANCE_COUNT <= (int)PLOT_LOOKS,
               "two variances would look the same in charts: plot.c needs another kind of line");

/* Adds an empty series with room for `max` points. */
static PlotSeries *add_series(Chart *chart, const char *name, int look, int max)
{
    const int s = chart->plot.count++;
    double *numbers = memory_small(3 * (size_t)max + 1, sizeof *numbers);
    chart->numbers[s] = numbers;
    chart->series[s] = (PlotSeries){
        .name = name, .look = look, .x = numbers, .y = numbers + max, .error = numbers + 2 * max};
    chart->plot.series = chart->series;
    return &chart->series[s];
}

static void add_point(PlotSeries *series, int max, double x, double y, double error)
{
    double *numbers = (double *)series->x; /* add_series allocated them */
    numbers[series->count] = x;
    numbers[max + series->count] = y;
    numbers[2 * max + series->count] = error;
    series->count++;
}

static void add_level(Chart *chart, const char *name, double value)
{
    PlotSeries *series = add_series(chart, name, 0, 1);
    series->level = true;
    add_point(series, 1, NAN, value, NAN);
}

static void free_chart(Chart *chart)
{
    for (int s = 0; s < chart->plot.count; s++)
        memory_free(chart->numbers[s]);
}

/* -- Files ------------------------------------------------------------------------------------ */

static void write_points(FILE *to, const void *context)
{
    const Plot *plot = context;
    for (int s = 0; s < plot->count; s++) {
        const PlotSeries *series = &plot->series[s];
        for (int i = 0; i < series->count; i++) {
            if (series->level)
                fprintf(to, "%s,,%.9g,\n", series->name, series->y[i]);
            else
                fprintf(to, "%s,%.9g,%.9g,%.3g\n", series->name, series->x[i], series->y[i],
                        series->error[i]);
        }
    }
}

static bool write_figure(const Comparison *c, const Plot *plot, const Figure *figure, Error *error)
{
    char *stem = memory_format("%s/figure-%s", c->out, figure->name);
    char *csv = memory_format("%s.csv", stem), *svg = memory_format("%s.svg", stem),
         *png = memory_format("%s.png", stem);
    PlotBytes picture = {0};
    const bool ok = plot_render(plot, PLOT_PNG, false, &picture, error) &&
                    output_bytes(png, FILE_PICTURE, picture.data, picture.size, error) &&
                    output_bytes(svg, FILE_CHART, figure->light.data, figure->light.size, error) &&
                    output_text(csv, FILE_POINTS, write_points, plot, error);
    memory_free(picture.data);
    memory_free(stem);
    memory_free(csv);
    memory_free(svg);
    memory_free(png);
    return ok;
}

/* Renders the chart, writes its files, and frees it. The figure keeps the name and the title. */
static bool finish(Comparison *c, Chart *chart, CompareSection section, char *name, char *title,
                   Error *error)
{
    Figure *figure = &c->figures[c->figure_count++];
    *figure = (Figure){.section = section, .name = name, .title = title};
    const bool ok = plot_render(&chart->plot, PLOT_SVG, false, &figure->light, error) &&
                    plot_render(&chart->plot, PLOT_SVG, true, &figure->dark, error) &&
                    write_figure(c, &chart->plot, figure, error);
    free_chart(chart);
    return ok;
}

/* -- The charts ------------------------------------------------------------------------------- */

/* What the charts of tables are drawn over: the number of steps, or the seconds that a sample takes. */
typedef enum Axis { OVER_STEPS, OVER_SECONDS } Axis;

static const char *const axis_labels[] = {"steps K", "seconds for a sample"};
static const char *const axis_names[] = {"K", "seconds"};
static const char *const axis_endings[] = {"", "-seconds"};

/* The unit of the axis in numbers of steps: the seconds of a step with the variance. */
static double unit_of(const Comparison *c, const Variance *variance, Axis axis)
{
    const int row = csv_find(&c->costs, 0, "variance", variance->name);
    return axis == OVER_STEPS ? 1 : csv_number(&c->costs, row, "seconds_per_image");
}

/* Adds the curve of a row, over the numbers of steps times `unit`. `key` holds the rest of the
 * subject. */
static void add_curve(Chart *chart, const Comparison *c, const Csv *table, const char *column,
                      int look, CompareKey key, double unit)
{
    PlotSeries *series = add_series(chart, key.variance, look, c->steps_count);
    for (int k = 0; k < c->steps_count; k++) {
        key.steps = c->steps[k];
        const int row = compare_row(table, &key);
        if (row >= 0)
            add_point(series, c->steps_count, key.steps * unit, csv_number(table, row, column),
                      csv_number(table, row, "stderr"));
    }
}

/* The look of row v. A variance has the same look in all charts. Its further rows, with other floors,
 * have looks that no variance of the table has, from the last one down, and -1 if there is none left:
 * such rows are in tables only. */
static int look_of(const Comparison *c, int v)
{
    bool used[PLOT_LOOKS] = {false};
    int look = -1;
    for (int i = 0; i < c->variance_count; i++)
        used[variance_index(c->variances[i])] = true;
    for (int i = 0; i <= v; i++) {
        const bool is_first = i == 0 || c->variances[i] != c->variances[i - 1];
        look = is_first ? variance_index(c->variances[i]) : PLOT_LOOKS - 1;
        while (!is_first && look >= 0 && used[look])
            look--;
        if (look >= 0)
            used[look] = true;
    }
    return look;
}

static void add_bounds(Chart *chart, const Comparison *c, TrajectoryKind trajectory, Axis axis)
{
    for (int v = 0; v < c->variance_count; v++)
        if (!c->variances[v]->no_bound && look_of(c, v) >= 0)
            add_curve(chart, c, &c->nll, "bits_per_dim", look_of(c, v),
                      (CompareKey){.variance = c->labels[v].text, .trajectory = trajectory},
                      unit_of(c, c->variances[v], axis));
}

/* A variance looks the same in all charts. With corrections of the mean it has several curves, and
 * looks go by rows. Rows after the last look are in tables only. */
static void add_samples(Chart *chart, const Comparison *c, const char *metric, Sampler sampler,
                        Axis axis)
{
    const bool corrected = c->corrections.count > 1;
    for (int row = 0; row < compare_sample_rows(c) && chart->plot.count < CHART_SERIES; row++) {
        const int v = compare_sample_row(c, row);
        const int look = corrected ? chart->plot.count : look_of(c, v);
        EstimateLabel *name = &chart->names[chart->plot.count];
        *name = compare_sample_label(c, row);
        if (compare_has_samples(c, sampler, v) && look >= 0)
            add_curve(chart, c, &c->quality, "value", look,
                      (CompareKey){.variance = name->text, .sampler = sampler, .metric = metric},
                      unit_of(c, c->variances[v], axis));
    }
}

/* Whether the values differ so much that only a logarithmic axis shows them all: the bounds of few
 * steps can be ten times the others. */
static bool spans_decades(const Chart *chart)
{
    double min = INFINITY, max = 0;
    for (int s = 0; s < chart->plot.count; s++)
        for (int i = 0; i < chart->series[s].count; i++) {
            min = fmin(min, chart->series[s].y[i]);
            max = fmax(max, chart->series[s].y[i]);
        }
    return min > 0 && max > 5 * min;
}

/* stem + the ending of the axis; frees the stem. */
static char *name_over(char *stem, Axis axis)
{
    char *name = memory_format("%s%s", stem, axis_endings[axis]);
    memory_free(stem);
    return name;
}

static bool draw_nll(Comparison *c, TrajectoryKind trajectory, Axis axis, Error *error)
{
    Chart chart = {.plot = {.x_label = axis_labels[axis], .y_label = "bits/dim", .log_x = true}};
    const char *name = trajectory_name(trajectory);
    add_bounds(&chart, c, trajectory, axis);
    chart.plot.log_y = spans_decades(&chart);
    return finish(
        c, &chart, COMPARE_NLL, name_over(compare_trajectory_stem("nll", trajectory), axis),
        memory_format("Bound on bits per dimension over %s, %s", axis_names[axis], name), error);
}

static bool draw_quality(Comparison *c, const char *metric, Sampler sampler, Axis axis,
                         Error *error)
{
    if (csv_find(&c->quality, 0, "metric", metric) < 0)
        return true;
    Chart chart = {.plot = {.x_label = axis_labels[axis], .y_label = metric, .log_x = true}};
    const char *name = sampler_name(sampler);
    add_samples(&chart, c, metric, sampler, axis);
    const int real = compare_real_row(&c->quality, metric);
    if (real >= 0)
        add_level(&chart, "real", csv_number(&c->quality, real, "value"));
    return finish(c, &chart, COMPARE_QUALITY,
                  name_over(compare_sampler_stem(metric, sampler), axis),
                  memory_format("%s over %s, %s", metric, axis_names[axis], name), error);
}

static bool draw_calibration(Comparison *c, Error *error)
{
    Chart chart = {.plot = {.x_label = "timestep t", .y_label = "error / variance", .log_y = true}};
    const Csv *table = &c->calibration;
    for (int v = 0; v < c->variance_count; v++) {
        const char *name = c->labels[v].text;
        int row = csv_find(table, 0, "variance", name);
        if (row < 0 || look_of(c, v) < 0 ||
            !estimate_has_calibration(&c->common->estimate, c->variances[v]))
            continue;
        PlotSeries *series = add_series(&chart, name, look_of(c, v), table->rows);
        for (; row >= 0; row = csv_find(table, row + 1, "variance", name))
            add_point(series, table->rows, csv_number(table, row, "t"),
                      csv_number(table, row, "mean_square"), csv_number(table, row, "stderr"));
    }
    if (chart.plot.count == 0)
        return true;
    add_level(&chart, "calibrated", 1);
    return finish(c, &chart, COMPARE_CALIBRATION, memory_string("calibration"),
                  memory_string("Calibration over t"), error);
}

bool compare_draw_figures(Comparison *c, Error *error)
{
    bool ok = true;
    for (int i = 0; ok && i < c->trajectory_count; i++)
        ok = draw_nll(c, c->trajectories[i], OVER_STEPS, error) &&
             draw_nll(c, c->trajectories[i], OVER_SECONDS, error);
    for (int m = 0; c->has_quality && m < COMPARE_METRICS; m++)
        for (int i = 0; ok && i < c->sampler_count; i++)
            ok = draw_quality(c, compare_metrics[m].name, c->samplers[i], OVER_STEPS, error) &&
                 (m > 0 ||
                  draw_quality(c, compare_metrics[m].name, c->samplers[i], OVER_SECONDS, error));
    return ok && draw_calibration(c, error);
}
