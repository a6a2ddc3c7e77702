/* The gradient of the weights: at each point a sum of products over all tiles.
 *
 * The tiles are taken in blocks. All threads bring a block of input and of dy to the points. Then,
 * point by point, the products of all pairs of columns are added to their sums: the factors of a
 * point stay in the cache, and sums come from and go to a far one. After the last block each pair of
 * columns is brought back to weights.
 *
 * The input may be computed row by row, when a block needs it; a row between two blocks is computed
 * for both.
 *
 * Where one block holds all tiles no sums need be kept: each pair of columns is multiplied at all
 * points, and brought back at once.
 */
#include "engine/winograd_gradient.h"

#include "engine/elementwise.h"
#include "engine/winograd_plan.h"

typedef struct Gradient {
    const WinogradKernels *kernels;
    GradientPlan plan;
    const float *x, *dy;
    float *dw;
    /* Computes x; NULL: x lies in memory. `rows` has those that a block reaches. */
    const RowSource *source;
    float *rows;
    /* The factors, and the sums [columns of outputs][columns of inputs][36][square]. */
    float *v, *z, *sums;
} Gradient;

/* Computes rows of the input, some at a time. */
static void compute_rows(const Gradient *g, Rows rows)
{
    enum { SOME = WINOGRAD_TILE };
    const ptrdiff_t next_row = (ptrdiff_t)g->plan.tiles.width * g->plan.in;
#pragma omp for schedule(static)
    for (int row = rows.first; row < rows.last; row += SOME)
        g->source->compute(g->source->context, row, smaller(row + SOME, rows.last),
                           g->rows + (row - rows.first) * next_row);
}

static void transform_block(const Gradient *g, int first, int last)
{
    const GradientPlan *p = &g->plan;
    const float *x = g->source ? g->rows : g->x;
    Tiles tiles = p->tiles;
    if (g->source) {
        const Rows rows = rows_of_tiles(&tiles, first, last);
        compute_rows(g, rows);
        tiles.first_row = rows.first;
    }
    const ptrdiff_t columns = g->kernels->columns;
#pragma omp for schedule(static)
    for (int tile = first; tile < last; tile++) {
        const ptrdiff_t group = (tile - first) / WINOGRAD_GROUP;
        const ptrdiff_t place = (tile - first) % WINOGRAD_GROUP * columns;
        g->kernels->input_factor(&tiles, x, p->in, tile, p->next_column,
                                 g->v + group * p->in_group + place);
        g->kernels->gradient_factor(&p->tiles, g->dy, p->out, tile, p->next_column,
                                    g->z + group * p->out_group + place);
    }
}

static void multiply(const Gradient *g, int point, int i, int o, int tiles, bool fresh)
{
    const GradientPlan *p = &g->plan;
    const WinogradFactors factors = {.z = g->z + o * p->next_column + point * p->point,
                                     .v = g->v + i * p->next_column + point * p->point,
                                     .next_z = p->out_group,
                                     .next_v = p->in_group};
    g->kernels->multiply_factors(
        tiles, &factors, g->sums + (o * p->in_columns + i) * p->pair + point * p->square, fresh);
}

static void add_products(const Gradient *g, int tiles, bool fresh)
{
    const GradientPlan *p = &g->plan;
#pragma omp for schedule(static)
    for (int task = 0; task < WINOGRAD_POINTS * p->out_columns; task++)
        for (int i = 0; i < p->in_columns; i++)
            multiply(g, task / p->out_columns, i, task % p->out_columns, tiles, fresh);
}

static void finish_pair(const Gradient *g, int i, int o)
{
    const GradientPlan *p = &g->plan;
    g->kernels->gradient(g->sums + (o * p->in_columns + i) * p->pair, g->dw, p->in, p->out,
                         i * g->kernels->columns, o * g->kernels->columns);
}

static void finish(const Gradient *g, bool multiplied)
{
    const GradientPlan *p = &g->plan;
#pragma omp for schedule(static)
    for (int pair = 0; pair < p->in_columns * p->out_columns; pair++) {
        const int i = pair % p->in_columns, o = pair / p->in_columns;
        for (int point = 0; !multiplied && point < WINOGRAD_POINTS; point++)
            multiply(g, point, i, o, p->tiles.count, true);
        finish_pair(g, i, o);
    }
}

void winograd_gradient(const Winograd *w, void *const *operands, void *scratch)
{
    const ConvShape *s = &w->shape;
    Gradient g = {.kernels = w->kernels,
                  .plan = gradient_plan(w),
                  .x = operands[OPERAND_SRC],
                  .dy = operands[OPERAND_DST],
                  .dw = operands[OPERAND_WEIGHTS],
                  .source = operands[OPERAND_ROWS],
                  .rows = (float *)((char *)scratch + gradient_scratch_bytes(w))};
    const GradientPlan *p = &g.plan;
    g.v = scratch;
    g.z = g.v + p->in_factors;
    g.sums = g.z + p->out_factors;
#pragma omp parallel num_threads(w->threads)
    {
        const bool one_block = p->block >= p->tiles.count;
        for (int first = 0; first < p->tiles.count; first += p->block) {
            const int last = smaller(first + p->block, p->tiles.count);
            transform_block(&g, first, last);
            if (!one_block)
                add_products(&g, last - first, first == 0);
        }
        finish(&g, !one_block);
    }
    if (operands[OPERAND_BIAS])
        elementwise_column_sum(operands[OPERAND_BIAS], DTYPE_F32, g.dy,
                               (size_t)s->n * (size_t)(s->out_height * s->out_width),
                               s->out_channels, scratch);
}
