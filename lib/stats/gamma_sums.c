/* Sums over rows are made in strips of chunks, a fixed number of them, and then from strip to
 * strip, so that they do not depend on threads.
 */
#include "stats/gamma_sums.h"

#include <math.h>
#include <string.h>

static int strip_first(const GammaRows *rows, int strip)
{
    return (int)((long long)rows->chunks * strip / GAMMA_STRIPS);
}

static double weight_of(const GammaState *s, size_t row)
{
    return s->problem->weight ? s->problem->weight[row] : 1;
}

/* sum [P] := those of the strips, over the number of rows. */
static void add_strips(const GammaState *s, double *sum)
{
    memset(sum, 0, s->features * sizeof *sum);
    for (int strip = 0; strip < GAMMA_STRIPS; strip++)
        for (size_t j = 0; j < s->features; j++)
            sum[j] += s->strips[(size_t)strip * s->features + j];
    for (size_t j = 0; j < s->features; j++)
        sum[j] /= (double)s->count;
}

void gamma_sums_gradient(GammaState *s)
{
    const GammaRows *rows = s->rows;
    memset(s->strips, 0, GAMMA_STRIPS * s->features * sizeof *s->strips);
#pragma omp parallel for schedule(dynamic, 1)
    for (int strip = 0; strip < GAMMA_STRIPS; strip++) {
        double *slope = s->slopes + (size_t)strip * s->chunk;
        for (int c = strip_first(rows, strip); c < strip_first(rows, strip + 1); c++) {
            const size_t first = rows->first(rows->context, c);
            const size_t end = rows->first(rows->context, c + 1);
            for (size_t i = first; i < end; i++) {
                const double of_row = weight_of(s, i);
                s->weight[i] = of_row * s->problem->r[i] * exp(-s->l[i]);
                slope[i - first] = of_row - s->weight[i];
            }
            rows->add(rows->context, c, slope, s->strips + (size_t)strip * s->features);
        }
    }
    add_strips(s, s->gradient);
}

void gamma_sums_product(GammaState *s, const double *v, double *out)
{
    const GammaRows *rows = s->rows;
    memset(s->strips, 0, GAMMA_STRIPS * s->features * sizeof *s->strips);
#pragma omp parallel for schedule(dynamic, 1)
    for (int strip = 0; strip < GAMMA_STRIPS; strip++) {
        double *slope = s->slopes + (size_t)strip * s->chunk;
        for (int c = strip_first(rows, strip); c < strip_first(rows, strip + 1); c++) {
            const size_t first = rows->first(rows->context, c);
            const size_t end = rows->first(rows->context, c + 1);
            rows->apply(rows->context, c, v, s->part + first);
            for (size_t i = first; i < end; i++)
                slope[i - first] = s->weight[i] * s->part[i];
            rows->add(rows->context, c, slope, s->strips + (size_t)strip * s->features);
        }
    }
    add_strips(s, out);
    s->products++;
}

GammaAlong gamma_sums_along(const GammaState *s, double a)
{
    const GammaRows *rows = s->rows;
    GammaAlong strips[GAMMA_STRIPS], sum = {0};
#pragma omp parallel for schedule(dynamic, 1)
    for (int strip = 0; strip < GAMMA_STRIPS; strip++) {
        const size_t first = rows->first(rows->context, strip_first(rows, strip));
        const size_t end = rows->first(rows->context, strip_first(rows, strip + 1));
        double value = 0, slope = 0, curvature = 0;
        for (size_t i = first; i < end; i++) {
            const double l = s->l[i] + a * s->change[i];
            const double of_row = weight_of(s, i);
            const double ratio = of_row * s->problem->r[i] * exp(-l);
            value += of_row * l + ratio;
            slope += (of_row - ratio) * s->change[i];
            curvature += ratio * s->change[i] * s->change[i];
        }
        strips[strip] = (GammaAlong){value, slope, curvature};
    }
    for (int strip = 0; strip < GAMMA_STRIPS; strip++) {
        sum.value += strips[strip].value / (double)s->count;
        sum.slope += strips[strip].slope / (double)s->count;
        sum.curvature += strips[strip].curvature / (double)s->count;
    }
    return sum;
}
