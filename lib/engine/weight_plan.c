/* Chooses how a weight gradient is cut into blocks, slices and parts, and lays out its working
 * memory.
 *
 * Images are grouped so that padding wastes the least. Blocks fill the second-level cache. Threads
 * share pixels (slices) or input channels (parts), whichever is estimated to take
 * fewer cycles.
 */
#include "engine/weight_plan.h"

#include <stdbool.h>

enum { BUFFER = 5 << 18 }; /* bytes of both buffers, in a second level cache of 2 MiB */

/* The number of images per group that wastes the least; of equal ones the smallest, whose pixels
 * lie closest in memory. */
static void choose_groups(Plan *plan)
{
    const ConvShape *s = &plan->shape;
    int least = 0;
    for (int images = 2; images <= STEP; images *= 2) {
        int groups = divide_up(s->n, images), steps = divide_up(s->out_width, STEP / images);
        if (least != 0 && groups * steps >= least)
            continue;
        least = groups * steps;
        plan->images = images;
        plan->groups = groups;
        plan->step_pixels = STEP / images;
        plan->steps = steps;
    }
    plan->phases = smaller(s->stride, s->kernel);
    plan->columns = plan->steps * plan->step_pixels + (s->kernel - 1) / s->stride;
}

static ptrdiff_t left_bytes(const Plan *plan, int groups, int rows)
{
    return (ptrdiff_t)groups * rows * plan->steps * TILE;
}

static ptrdiff_t right_bytes(const Plan *plan, int groups, int rows)
{
    return groups * input_rows(plan, rows) * row_right_bytes(plan);
}

static bool fits(const Plan *plan, int groups, int rows)
{
    return plan->out_tiles * left_bytes(plan, groups, rows) +
               right_blocks(plan) * right_bytes(plan, groups, rows) <=
           BUFFER;
}

/* As many groups, or else rows of one, as fit the buffers; if possible a block for each thread. */
static void choose_blocks(Plan *plan, int threads)
{
    const int height = plan->shape.out_height;
    int rows = height, groups = divide_up(plan->groups, smaller(threads, plan->groups));
    while (groups > 1 && !fits(plan, groups, rows))
        groups = (groups + 1) / 2;
    while (rows > 1 && !fits(plan, groups, rows))
        rows = (rows + 1) / 2;
    plan->block_groups = groups;
    plan->block_rows = rows;
    plan->row_blocks = divide_up(height, rows);
    plan->blocks = plan->row_blocks * divide_up(plan->groups, groups);
    plan->left_bytes = left_bytes(plan, groups, rows);
    plan->right_bytes = right_bytes(plan, groups, rows);
}

/* Slices of pixels or parts of input channels? Each part rearranges all of dy, each slice has sums
 * to add in the end. The numbers are rough estimates in cycles. */
static void choose_cut(Plan *plan, int threads)
{
    const double steps = (double)plan->left_bytes / TILE, out = plan->out_tiles;
    const double multiply = 40 * steps * out * plan->taps, rearrange = 125 * steps * out;
    const double add = 500.0 * plan->taps * plan->in_blocks * out;
    double least = 0;
    for (int slices = 1; slices <= smaller(threads, plan->blocks); slices++) {
        int parts = smaller(threads / slices, plan->in_blocks);
        int part_blocks = divide_up(plan->in_blocks, parts);
        double time = divide_up(plan->blocks, slices) * (rearrange + part_blocks * multiply) +
                      slices * add / threads;
        if (slices > 1 && time >= least)
            continue;
        least = time;
        plan->slices = slices;
        plan->part_blocks = part_blocks;
        plan->parts = divide_up(plan->in_blocks, part_blocks);
    }
}

Plan plan_make(const ConvShape *shape, int threads)
{
    Plan plan = {
        .shape = *shape,
        .taps = shape->kernel * shape->kernel,
        .out_tiles = 2 * divide_up(shape->out_channels, BLOCK),
        .in_blocks = divide_up(shape->in_channels, BLOCK),
    };
    choose_groups(&plan);
    choose_blocks(&plan, threads);
    choose_cut(&plan, threads);
    return plan;
}

size_t plan_scratch_bytes(const Plan *plan, int threads)
{
    const ptrdiff_t floats = plan->slices * slice_sums(plan) + threads * tap_sums(plan);
    return (size_t)(floats * (ptrdiff_t)sizeof(float) +
                    plan->slices * plan->parts * buffer_bytes(plan));
}

Pixels plan_pixels(const Plan *plan, int block)
{
    int group = block / plan->row_blocks * plan->block_groups;
    int row = block % plan->row_blocks * plan->block_rows;
    return (Pixels){
        .first_group = group,
        .groups = smaller(plan->block_groups, plan->groups - group),
        .first_row = row,
        .rows = smaller(plan->block_rows, plan->shape.out_height - row),
    };
}
