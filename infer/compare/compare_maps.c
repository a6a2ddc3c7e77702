/* Draws maps of sigma = sqrt(Cov[x_0 | x_t]) per pixel by two variances at the same x_t: the first
 * two of the table whose heads the network has, sn and npr as a rule.
 *
 * The picture shows two test images, one above the other. Each has four rows, x_t, sigma by the
 * first variance, sigma by the second and their difference, with timesteps from left to right.
 * Sigma is black at 0 and white at the largest sigma of either variance at that t. The difference
 * is middle grey at 0, and lighter where the first is larger. The numbers beside the picture are
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
    /* The rows of an image. */
    KINDS = 4,
    /* Small images are enlarged to a side of this many pixels. */
    CELL = 84,
};

/* Arrays are [times, images.count, dims]. */
typedef struct Maps {
    Images images;
    size_t dims;
    /* count = times * images.count: points (x_t, t) */
    int times, count;
    int t[COMPARE_MAP_TIMES * IMAGES];
    /* x_t, sigma by the first variance, by the second, their difference */
    float *kinds[KINDS];
    float *noise;
    /* The heads of both variances, as indices of the prediction. */
    int heads[2];
    Prediction prediction;
} Maps;

static bool allocate(Maps *m, Error *error)
{
    float **arrays[] = {&m->kinds[0],
                        &m->kinds[1],
                        &m->kinds[2],
                        &m->kinds[3],
                        &m->noise,
                        &m->prediction.eps,
                        &m->prediction.heads[m->heads[0]],
                        &m->prediction.heads[m->heads[1]]};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        if (!(*arrays[i] = memory_large((size_t)m->count, m->dims * sizeof(float), "maps", error)))
            return false;
    return true;
}

static void release(Maps *m)
{
    for (int k = 0; k < KINDS; k++)
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
        if (c->map_count == 0 || t > c->map_rows[c->map_count - 1].t)
            c->map_rows[c->map_count++].t = t;
    }
    m->times = c->map_count;
    m->count = m->times * m->images.count;
}

/* An image has the same noise at every t, so that only the amount of noise changes across a row. */
static void make_points(Maps *m, const Comparison *c)
{
    const size_t dims = m->dims;
    for (int i = 0; i < m->count; i++) {
        const int image = i % m->images.count;
        m->t[i] = c->map_rows[i / m->images.count].t;
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
    for (int k = 0; k < 2; k++)
        sigma_of(m, &predictor.source, c->map_variances[k], m->heads[k], m->kinds[1 + k]);
    return true;
}

/* The larger of two numbers; NaN if one is NaN. */
static double larger(double a, double b)
{
    return isnan(a) || a >= b ? a : b;
}

static void measure(const Maps *m, MapRow *row, int time)
{
    const size_t n = (size_t)m->images.count * m->dims, at = (size_t)time * n;
    const float *first = m->kinds[1] + at, *second = m->kinds[2] + at;
    double sum_first = 0, sum_second = 0, squares_first = 0, squares_second = 0, product = 0,
           difference = 0;
    for (size_t i = 0; i < n; i++) {
        const double a = first[i], b = second[i];
        row->max = larger(row->max, larger(a, b));
        sum_first += a, sum_second += b;
        squares_first += a * a, squares_second += b * b, product += a * b;
        difference += (a - b) * (a - b);
    }
    const double count = (double)n;
    row->first = sum_first / count;
    row->second = sum_second / count;
    row->difference = sqrt(difference / count);
    const double variance_first = squares_first / count - row->first * row->first;
    const double variance_second = squares_second / count - row->second * row->second;
    const bool constant = variance_first <= 1e-12 * row->first * row->first ||
                          variance_second <= 1e-12 * row->second * row->second; /* up to rounding */
    row->correlation = constant ? NAN
                                : (product / count - row->first * row->second) /
                                      sqrt(variance_first * variance_second);
}

/* Turns sigmas into values of a picture, -1 .. 1. */
static void scale(Maps *m, const MapRow *row, int time)
{
    const size_t n = (size_t)m->images.count * m->dims, at = (size_t)time * n;
    const float max = row->max > 0 ? (float)row->max : 1;
    for (size_t i = at; i < at + n; i++) {
        m->kinds[3][i] = (m->kinds[1][i] - m->kinds[2][i]) / max;
        m->kinds[1][i] = 2 * m->kinds[1][i] / max - 1;
        m->kinds[2][i] = 2 * m->kinds[2][i] / max - 1;
    }
}

static bool draw(const Maps *m, const Comparison *c, Error *error)
{
    const Config *config = network_config(c->network);
    const EstimateOptions *estimate = &c->common->estimate;
    const EstimateLabel first = estimate_label(estimate, c->map_variances[0]);
    const EstimateLabel second = estimate_label(estimate, c->map_variances[1]);
    char difference[64];
    snprintf(difference, sizeof difference, "%.30s-%.30s", c->map_variances[0]->name,
             c->map_variances[1]->name);
    const char *const labels[SHOWN * KINDS] = {"x_t", first.text, second.text, difference,
                                               "x_t", first.text, second.text, difference};
    const float *grids[SHOWN * KINDS * COMPARE_MAP_TIMES];
    char columns[COMPARE_MAP_TIMES][16];
    const char *column_labels[COMPARE_MAP_TIMES];
    const int shown = m->images.count < SHOWN ? m->images.count : SHOWN;
    for (int k = 0; k < m->times; k++) {
        snprintf(columns[k], sizeof columns[k], "t=%d", c->map_rows[k].t);
        column_labels[k] = columns[k];
        for (int r = 0; r < shown * KINDS; r++)
            grids[r * m->times + k] =
                m->kinds[r % KINDS] + (size_t)(k * m->images.count + r / KINDS) * m->dims;
    }
    const int side = config->data.resolution;
    const GridTable table = {.rows = shown * KINDS,
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
        image_grid_table(&canvas, &table, error) && canvas_write_png(&canvas, c->maps, error);
    canvas_free(&canvas);
    return ok;
}

static void write_numbers(FILE *to, const void *context)
{
    const Comparison *c = context;
    fprintf(to, "mean_sigma_%s,mean_sigma_%s,rms_difference,correlation\n",
            c->map_variances[0]->name, c->map_variances[1]->name); /* after the beginning */
    for (int k = 0; k < c->map_count; k++) {
        const MapRow *row = &c->map_rows[k];
        fprintf(to, "%d,%.6g,%.6g,%.6g,%.6g,%.6g\n", row->t, row->max, row->first, row->second,
                row->difference, row->correlation);
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
        measure(m, &c->map_rows[k], k);
        scale(m, &c->map_rows[k], k);
    }
    return true;
}

/* The first two variances with a map, of two heads that the network has. Returns how many there
 * are. */
static int choose_variances(Comparison *c, Maps *m)
{
    int count = 0;
    for (int v = 0; v < VARIANCE_COUNT && count < 2; v++) {
        const Variance *variance = variance_table[v];
        const int head = variance->head && !variance->depends_on_step
                             ? network_find_head(c->network, variance->head)
                             : -1;
        if (head >= 0 && (count == 0 || head != m->heads[0])) {
            m->heads[count] = head;
            c->map_variances[count++] = variance;
        }
    }
    return count;
}

bool compare_draw_maps(Comparison *c, Error *error)
{
    Maps m = {0};
    if (choose_variances(c, &m) < 2)
        return true;
    c->maps = compare_path(c, "figure-sigma.png");
    char *csv = compare_path(c, "figure-sigma.csv");
    const bool ok = make_maps(c, &m, error) && draw(&m, c, error) &&
                    output_text(csv, FILE_SIGMA, write_numbers, c, error);
    memory_free(csv);
    release(&m);
    return ok;
}
