/* Exact fitting by several processes (base/group.h).
 *
 * Each process adds its share of every batch to sums and a sample of its own. They come together in
 * the first process before it solves or saves: sums are added, and of all blocks those with the
 * smallest keys are kept, which one process would have kept. From then on the first process has
 * what has been collected and the others what has come since, so that collecting again is right.
 */
#include "train/stage2_exact.h"

#include "base/group.h"

#include <string.h>

/* Doubles of all sums. */
static size_t sums_size(const Stage2 *s)
{
    return PARTS * (size_t)s->bins.count * exact_block(s->exact);
}

void exact_collect_sums(Stage2 *s)
{
    group_collect_doubles(s->exact->blocks, sums_size(s));
}

bool exact_collect(Stage2 *s, Error *error)
{
    exact_collect_sums(s);
    return group_size() == 1 || !exact_samples(s->exact) ||
           head_sample_collect(&s->exact->sample, error);
}

void exact_share_solution(Stage2 *s)
{
    Exact *e = s->exact;
    const size_t bins = (size_t)s->bins.count, features = (size_t)e->features;
    group_broadcast(e->w, bins * (size_t)e->targets * features * sizeof *e->w);
    for (int i = 0; i < s->task.count; i++)
        if (e->gamma_w[i])
            group_broadcast(e->gamma_w[i],
                            bins * (size_t)e->outputs * features * sizeof *e->gamma_w[i]);
    group_broadcast(e->chosen, sizeof e->chosen);
    group_broadcast(e->levels, sizeof e->levels);
    group_broadcast(&e->level_count, sizeof e->level_count);
}

void exact_keep_first(Stage2 *s)
{
    Exact *e = s->exact;
    if (group_is_first())
        return;
    memset(e->blocks, 0, sums_size(s) * sizeof *e->blocks);
    if (exact_samples(e))
        head_sample_clear(&e->sample);
}
