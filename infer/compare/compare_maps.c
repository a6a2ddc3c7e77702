/* Draws maps of sigma = sqrt(Cov[x_0 | x_t]) per pixel at the same x_t: one for each head that
 * the compared variances read, in the order of their rows.
 *
 * The picture shows two test images, one above the other. Each has a row for x_t and a row for
 * every head, with timesteps from left to right. Two heads have a last row for their difference.
 * Sigma is black at 0 and white at the largest sigma of any head at that t. The difference is
 * middle grey at 0, and lighter where the first is larger. The numbers beside the picture are
 * means over eight images.
 */
#include "infer/compare/compare_maps.h"

#include "base/memory.h"
#include "base/random.h"
#include "diffusion/forward.h"
#include "inference/images.h"
#include "io/output.h"
#include "picture/grid.h"
#include "picture/png.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    /* The numbers are means over this many images. */
    IMAGES = 8,
    /* The picture shows the first of these images. */
    SHOWN = 2,
    /* The rows of an image, at most: x_t and the heads. (Two heads and their difference are
     * fewer.) */
    MAX_KINDS = 1 + COMPARE_MAP_HEADS,
    /* Small images are enlarged to a side of this many pixels. */
    CELL = 84,
};

_Static_assert(COMPARE_MAP_HEADS > 2, "there is no row for the difference of two heads");

/* Arrays are [times, images.count, dims]. */
typedef struct Maps {
    Images images;
    size_t dims;
    /* count = times * images.count: points (x_t, t) */
    int times, count;
    int t[COMPARE_MAP_TIMES * IMAGES];
    /* The number of heads, and of the rows of an image. */
    int maps, kind_count;
    /* x_t, sigma by each head, and the difference of two */
    float *kinds[MAX_KINDS];
    float *noise;
    /* The heads of the maps, as indices of the prediction. */
    int heads[COMPARE_MAP_HEADS];
    Prediction prediction;
} Maps;

static bool allocate_one(const Maps *m, float **array, Error *error)
{
    return (*array = memory_large((size_t)m->count, m->dims * sizeof(float), "maps", error)) !=
           NULL;
}

static bool allocate(Maps *m, Error *error)
{
    bool ok = allocate_one(m, &m->noise, error) && allocate_one(m, &m->prediction.eps, error);
    for (int k = 0; ok && k < m->kind_count; k++)
        ok = allocate_one(m, &m->kinds[k], error);
    for (int k = 0; ok && k < m->maps; k++)
        ok = allocate_one(m, &m->prediction.heads[m->heads[k]], error);
    return ok;
}

static void release(Maps *m)
{
    for (int k = 0; k < m->kind_count; k++)
        memory_free(m->kinds[k]);
    for (int head = 0; head < PREDICTOR_MAX_HEADS; head++)
        memory_free(m->prediction.heads[head]);
    memory_free(m->prediction.eps);
    memory_free(m->noise);
    images_free(&m->images);
}

/* Takes 10, 30, 50, 70 and 90 per cent of N. A small N gives fewer timesteps, none of them
 * twice. */
static void choose_timesteps(Maps *m, Comparison *c)
{
    const int all = network_schedule(c->network)->timesteps;
    for (int i = 0; i < COMPARE_MAP_TIMES; i++) {
        int t = (2 * i + 1) * all / 10;
        t = t < 1 ? 1 : t;
        if (c->maps.time_count == 0 || t > c->maps.times[c->maps.time_count - 1].t)
            c->maps.times[c->maps.time_count++].t = t;
    }
    m->times = c->maps.time_count;
    m->count = m->times * m->images.count;
}

/* An image has the same noise at every t, so that only the amount of noise changes across a row. */
static void make_points(Maps *m, const Comparison *c)
{
    const size_t dims = m->dims;
    for (int i = 0; i < m->count; i++) {
        const int image = i % m->images.count;
        m->t[i] = c->maps.times[i / m->images.count].t;
        random_normal(
            (RandomKey){.seed = c->seed, .purpose = RANDOM_LIKELIHOOD, .sample = (uint32_t)image},
            m->noise + (size_t)i * dims, dims);
        forward_noise(network_schedule(c->network), &m->t[i], m->images.x_0 + (size_t)image * dims,
                      m->noise + (size_t)i * dims, 1, dims, m->kinds[0] + (size_t)i * dims);
    }
}

static void sigma_of(Maps *m, const EstimateSource *source, const Variance *variance, int head,
                     float *sigma)
{
    for (int i = 0; i < m->count; i++) {
        const size_t at = (size_t)i * m->dims;
        estimate_cov_x0(source, variance, m->t[i], m->kinds[0] + at, m->prediction.eps + at,
                        m->prediction.heads[head] + at, sigma + at);
    }
    for (size_t i = 0; i < (size_t)m->count * m->dims; i++)
        sigma[i] = sqrtf(sigma[i]);
}

static bool evaluate(Maps *m, const Comparison *c, Error *error)
{
    if (!network_prepare(c->network, m->count, error))
        return false;
    const Predictor predictor = network_predictor(c->network, &c->common->estimate);
    if (!predictor.predict(c->network, m->kinds[0], m->t, m->count, &m->prediction, error))
        return false;
    for (int k = 0; k < m->maps; k++) {
        EstimateSource source = predictor.source;
        source.options = compare_estimate(c, c->maps.rows[k]);
        sigma_of(m, &source, c->variances[c->maps.rows[k]], m->heads[k], m->kinds[1 + k]);
    }
    return true;
}

/* The larger of two numbers; NaN if one is NaN. */
static double larger(double a, double b)
{
    return isnan(a) || a >= b ? a : b;
}

/* The numbers of head k, beside the first head, at one timestep. */
static void measure_head(const Maps *m, MapRow *row, int time, int k)
{
    const size_t n = (size_t)m->images.count * m->dims, at = (size_t)time * n;
    const float *first = m->kinds[1] + at, *other = m->kinds[1 + k] + at;
    double sum_first = 0, sum_other = 0, squares_first = 0, squares_other = 0, product = 0,
           difference = 0;
    for (size_t i = 0; i < n; i++) {
        const double a = first[i], b = other[i];
        row->max = larger(row->max, b);
        sum_first += a, sum_other += b;
        squares_first += a * a, squares_other += b * b, product += a * b;
        difference += (a - b) * (a - b);
    }
    const double count = (double)n, mean_first = sum_first / count, mean = sum_other / count;
    const double variance_first = squares_first / count - mean_first * mean_first;
    const double variance = squares_other / count - mean * mean;
    const bool constant = variance_first <= 1e-12 * mean_first * mean_first ||
                          variance <= 1e-12 * mean * mean; /* up to rounding */
    row->mean[k] = mean;
    row->difference[k] = sqrt(difference / count);
    row->correlation[k] =
        constant ? NAN : (product / count - mean_first * mean) / sqrt(variance_first * variance);
}

/* Turns sigmas into values of a picture, -1 .. 1. */
static void scale(Maps *m, const MapRow *row, int time)
{
    const size_t n = (size_t)m->images.count * m->dims, at = (size_t)time * n;
    const float max = row->max > 0 ? (float)row->max : 1;
    for (size_t i = at; m->maps == 2 && i < at + n; i++)
        m->kinds[3][i] = (m->kinds[1][i] - m->kinds[2][i]) / max;
    for (int k = 1; k <= m->maps; k++)
        for (size_t i = at; i < at + n; i++)
            m->kinds[k][i] = 2 * m->kinds[k][i] / max - 1;
}

/* labels [kind_count] := the labels of an image's rows; the row of the difference gets
 * `difference`. */
static void label_kinds(const Maps *m, const Comparison *c, const char *difference,
                        const char **labels)
{
    labels[0] = "x_t";
    for (int k = 0; k < m->maps; k++)
        labels[1 + k] = compare_map_name(c, k);
    if (m->maps == 2)
        labels[3] = difference;
}

static bool draw(const Maps *m, const Comparison *c, Error *error)
{
    const Config *config = network_config(c->network);
    const char *labels[SHOWN * MAX_KINDS];
    const float *grids[SHOWN * MAX_KINDS * COMPARE_MAP_TIMES];
    char columns[COMPARE_MAP_TIMES][16];
    const char *column_labels[COMPARE_MAP_TIMES];
    const int shown = m->images.count < SHOWN ? m->images.count : SHOWN;
    char *difference = m->maps == 2
                           ? memory_format("%s-%s", compare_map_name(c, 0), compare_map_name(c, 1))
                           : NULL;
    for (int i = 0; i < shown; i++)
        label_kinds(m, c, difference, labels + (size_t)(i * m->kind_count));
    for (int k = 0; k < m->times; k++) {
        snprintf(columns[k], sizeof columns[k], "t=%d", c->maps.times[k].t);
        column_labels[k] = columns[k];
        for (int r = 0; r < shown * m->kind_count; r++)
            grids[r * m->times + k] = m->kinds[r % m->kind_count] +
                                      (size_t)(k * m->images.count + r / m->kind_count) * m->dims;
    }
    const int side = config->data.resolution;
    const GridTable table = {.rows = shown * m->kind_count,
                             .columns = m->times,
                             .row_labels = labels,
                             .column_labels = column_labels,
                             .grids = grids,
                             .n = 1,
                             .layout = {.height = side,
                                        .width = side,
                                        .channels = config->data.channels,
                                        .columns = 1,
                                        .scale = side < CELL ? CELL / side : 1,
                                        .padding = 2}};
    Canvas canvas = {0};
    const bool ok =
        image_grid_table(&canvas, &table, error) && canvas_write_png(&canvas, c->maps.path, error);
    canvas_free(&canvas);
    memory_free(difference);
    return ok;
}

/* The means of all heads; then, for every head but the first, its difference from the first and its
 * correlation with it. */
static void write_numbers(FILE *to, const void *context)
{
    const Comparison *c = context;
    const CompareMaps *maps = &c->maps;
    for (int k = 0; k < maps->count; k++) /* after the beginning */
        fprintf(to, "%smean_sigma_%s", k > 0 ? "," : "", compare_map_name(c, k));
    for (int k = 1; k < maps->count; k++)
        fprintf(to, ",rms_difference_%s,correlation_%s", compare_map_name(c, k),
                compare_map_name(c, k));
    fputs("\n", to);
    for (int i = 0; i < maps->time_count; i++) {
        const MapRow *row = &maps->times[i];
        fprintf(to, "%d,%.6g", row->t, row->max);
        for (int k = 0; k < maps->count; k++)
            fprintf(to, ",%.6g", row->mean[k]);
        for (int k = 1; k < maps->count; k++)
            fprintf(to, ",%.6g,%.6g", row->difference[k], row->correlation[k]);
        fputs("\n", to);
    }
}

static bool make_maps(Comparison *c, Maps *m, Error *error)
{
    int64_t count;
    if (!images_test_at_most(c->network, IMAGES, &count, error) ||
        !images_test(&m->images, c->network, NULL, count, error))
        return false;
    m->dims = network_dims(c->network);
    choose_timesteps(m, c);
    if (!allocate(m, error))
        return false;
    make_points(m, c);
    if (!evaluate(m, c, error))
        return false;
    for (int k = 0; k < m->times; k++) {
        for (int head = 0; head < m->maps; head++)
            measure_head(m, &c->maps.times[k], k, head);
        scale(m, &c->maps.times[k], k);
    }
    return true;
}

/* Whether a map shows this head already. */
static bool is_shown(const Maps *m, int head)
{
    for (int k = 0; k < m->maps; k++)
        if (m->heads[k] == head)
            return true;
    return false;
}

/* The first rows of the comparison that read heads, one for each head. */
static void choose_rows(Comparison *c, Maps *m)
{
    for (int v = 0; v < c->variance_count && m->maps < COMPARE_MAP_HEADS; v++) {
        const Variance *variance = c->variances[v];
        const int head = variance->head && !variance->depends_on_step
                             ? network_find_head(c->network, variance->head)
                             : -1;
        if (head < 0 || is_shown(m, head))
            continue;
        m->heads[m->maps] = head;
        c->maps.rows[m->maps++] = v;
    }
    c->maps.count = m->maps;
    m->kind_count = 1 + m->maps + (m->maps == 2);
}

bool compare_draw_maps(Comparison *c, Error *error)
{
    Maps m = {0};
    choose_rows(c, &m);
    if (m.maps == 0)
        return true;
    c->maps.path = compare_path(c, "figure-sigma.png");
    char *csv = compare_path(c, "figure-sigma.csv");
    const bool ok = make_maps(c, &m, error) && draw(&m, c, error) &&
                    output_text(csv, FILE_SIGMA, write_numbers, c, error);
    memory_free(csv);
    release(&m);
    return ok;
}
