/* Blocks are chosen so that what a thread reads again and again stays in its second-level cache, and
 * V in the third. Outputs do not depend on them. Gradients of the weights do, by rounding, so that their
 * block is the same on every machine.
 */
#include "engine/winograd_plan.h"

#include "base/memory.h"
#include "engine/elementwise.h"

#include <unistd.h>

enum {
    /* Floats between the points of U, so that equal places of different points do not meet in one
     * set of the first-level cache. */
    GAP = 16,
    /* Tiles of a block, and those whose factors of the gradient lie in memory. */
    BLOCK = 48,
    GRADIENT_BLOCK = 64,
};

static int second_level_cache(void)
{
    const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return bytes >= 256 << 10 && bytes <= 16 << 20 ? (int)bytes : 512 << 10;
}

static Tiles cut(const ConvShape *s)
{
    const int across = divide_up(s->in_width, WINOGRAD_TILE);
    const int per_image = across * divide_up(s->in_height, WINOGRAD_TILE);
    return (Tiles){s->in_height, s->in_width, across, per_image, s->n * per_image, 0};
}

/* `count` tiles in equal parts of at most `most`, in whole groups. */
static int part(int count, int most, int rows)
{
    return divide_up(divide_up(count, divide_up(count, most)), rows) * rows;
}

/* As many tiles as leave half of the second-level cache to other things, all blocks alike. */
static int block_tiles(const ForwardPlan *p, int rows)
{
    const int tile_bytes = WINOGRAD_POINTS * p->padded * (int)sizeof(float);
    const int fitting = second_level_cache() / 2 / tile_bytes / rows * rows;
    const int most = smaller(fitting, BLOCK);
    return part(p->tiles.count, most > rows ? most : rows, rows);
}

ForwardPlan forward_plan(const Winograd *w)
{
    const WinogradKernels *kernels = w->kernels;
    const bool turned = w->pass == CONV_BACKWARD_DATA;
    ForwardPlan p = {
        .tiles = cut(&w->shape),
        .in = turned ? w->shape.out_channels : w->shape.in_channels,
        .out = turned ? w->shape.in_channels : w->shape.out_channels,
    };
    p.padded = divide_up(p.in, kernels->lanes) * kernels->lanes;
    p.columns = divide_up(p.out, kernels->columns);
    p.weights_first = p.tiles.count > p.columns * kernels->columns;
    p.block = block_tiles(&p, kernels->rows);
    p.blocks = divide_up(p.tiles.count, p.block);
    p.group = (ptrdiff_t)WINOGRAD_POINTS * p.padded * kernels->rows;
    p.next_point = (ptrdiff_t)p.padded * kernels->columns + GAP;
    p.column = WINOGRAD_POINTS * p.next_point;
    p.products = (ptrdiff_t)p.block * WINOGRAD_POINTS * kernels->columns;
    const ptrdiff_t v_block = p.block / kernels->rows * p.group;
    p.shared = p.weights_first ? p.columns * p.column : p.blocks * v_block;
    p.own = (p.weights_first ? v_block : p.column) + p.products;
    return p;
}

GradientPlan gradient_plan(const Winograd *w)
{
    const int columns = w->kernels->columns;
    GradientPlan p = {
        .tiles = cut(&w->shape), .in = w->shape.in_channels, .out = w->shape.out_channels};
    p.in_columns = divide_up(p.in, columns);
    p.out_columns = divide_up(p.out, columns);
    p.block = part(p.tiles.count, GRADIENT_BLOCK, 1);
    /* A gap of one point, so that equal points of different groups do not meet in one set of the
     * first-level cache. */
    p.point = (ptrdiff_t)WINOGRAD_GROUP * columns;
    p.next_column = (WINOGRAD_POINTS + 1) * p.point;
    p.in_group = p.in_columns * p.next_column;
    p.out_group = p.out_columns * p.next_column;
    p.in_factors = divide_up(p.block, WINOGRAD_GROUP) * p.in_group;
    p.out_factors = divide_up(p.block, WINOGRAD_GROUP) * p.out_group;
    p.square = (ptrdiff_t)columns * columns;
    p.pair = WINOGRAD_POINTS * p.square;
    return p;
}

static size_t bytes_of(ptrdiff_t floats)
{
    return memory_aligned((size_t)floats * sizeof(float));
}

size_t forward_scratch_bytes(const Winograd *w)
{
    const ForwardPlan p = forward_plan(w);
    return bytes_of(p.shared + w->threads * p.own);
}

size_t gradient_scratch_bytes(const Winograd *w)
{
    const GradientPlan p = gradient_plan(w);
    const size_t factors = bytes_of(p.in_factors) + bytes_of(p.out_factors);
    const size_t sums = bytes_of(p.in_columns * p.out_columns * p.pair);
    const size_t bias = elementwise_column_sum_scratch(
        (size_t)p.tiles.count * WINOGRAD_TILE * WINOGRAD_TILE, p.out);
    return factors + sums > bias ? factors + sums : bias;
}

Rows rows_of_tiles(const Tiles *tiles, int first, int last)
{
    const int height = tiles->height, from = first / tiles->per_image;
    const int to = (last - 1) / tiles->per_image;
    const int top = first % tiles->per_image / tiles->across * WINOGRAD_TILE - 1;
    const int end =
        (last - 1) % tiles->per_image / tiles->across * WINOGRAD_TILE + WINOGRAD_TILE + 1;
    return (Rows){from * height + (top > 0 ? top : 0), to * height + smaller(end, height)};
}

size_t gradient_rows_bytes(const Winograd *w)
{
    const GradientPlan p = gradient_plan(w);
    int most = 0;
    for (int first = 0; first < p.tiles.count; first += p.block) {
        const Rows rows = rows_of_tiles(&p.tiles, first, smaller(first + p.block, p.tiles.count));
        const int count = rows.last - rows.first;
        most = count > most ? count : most;
    }
    return bytes_of((ptrdiff_t)most * p.tiles.width * p.in);
}
