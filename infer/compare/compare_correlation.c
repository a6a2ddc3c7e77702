/* Draws the correlations of x_0 within a block of pixels, as a compared variance uses them: a
 * matrix for each of five timesteps.
 *
 * Row i of a matrix has the correlations of element i of a block with all its elements
 * (variance/block_covariance.h). White is 1, middle grey 0 and black -1.
 */
#include "infer/compare/compare_correlation.h"

#include "base/memory.h"
#include "picture/grid.h"
#include "picture/png.h"

#include <stdio.h>

enum {
    /* Small matrices are enlarged to a side of this many pixels. */
    CELL = 96,
};

/* The compared variance that has correlations; NULL: none. */
static const Variance *choose_variance(const Comparison *c)
{
    for (int v = 0; v < c->variance_count; v++)
        if (c->variances[v]->is_correlated && network_correlation(c->network, c->variances[v]))
            return c->variances[v];
    return NULL;
}

/* Takes 10, 30, 50, 70 and 90 per cent of N, as the maps of sigma do. */
static void choose_timesteps(Comparison *c, const BlockCorrelation *correlation)
{
    const int all = network_schedule(c->network)->timesteps;
    for (int i = 0; i < COMPARE_MAP_TIMES; i++) {
        const int wanted = (2 * i + 1) * all / 10, t = wanted < 1 ? 1 : wanted;
        const float *matrix = block_correlation_at(correlation, t);
        c->correlation_rows[i] = (CorrelationRow){
            .t = t, .neighbours = block_correlation_of_neighbours(&correlation->shape, matrix)};
    }
}

static bool draw(const Comparison *c, const BlockCorrelation *correlation, Error *error)
{
    const int n = block_rows(&correlation->shape);
    const float *grids[COMPARE_MAP_TIMES];
    char columns[COMPARE_MAP_TIMES][16];
    const char *column_labels[COMPARE_MAP_TIMES], *const row_label = "R";
    for (int k = 0; k < COMPARE_MAP_TIMES; k++) {
        snprintf(columns[k], sizeof columns[k], "t=%d", c->correlation_rows[k].t);
        column_labels[k] = columns[k];
        grids[k] = block_correlation_at(correlation, c->correlation_rows[k].t);
    }
    const GridTable table = {.rows = 1,
                             .columns = COMPARE_MAP_TIMES,
                             .row_labels = &row_label,
                             .column_labels = column_labels,
                             .grids = grids,
                             .n = 1,
                             .layout = {.height = n,
                                        .width = n,
                                        .channels = 1,
                                        .columns = 1,
                                        .scale = n < CELL ? CELL / n : 1,
                                        .padding = 2}};
    Canvas canvas = {0};
    const bool ok = image_grid_table(&canvas, &table, error) &&
                    canvas_write_png(&canvas, c->correlation, error);
    canvas_free(&canvas);
    return ok;
}

bool compare_draw_correlation(Comparison *c, Error *error)
{
    c->correlated = choose_variance(c);
    if (!c->correlated)
        return true;
    const BlockCorrelation *correlation = network_correlation(c->network, c->correlated);
    c->correlation = compare_path(c, "figure-correlation.png");
    choose_timesteps(c, correlation);
    return draw(c, correlation, error);
}
