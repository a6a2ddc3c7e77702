/* Sums the steps of trainings (compare_fit.h). A run directory may hold the rows of several trainings
 * of a head; the last one made the head. */
#include "infer/compare/compare_fit.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* The last row of a target in the log; -1: there is none. */
static int last_row(const Csv *log, const char *target)
{
    int last = -1;
    for (int row = -1; (row = csv_find(log, row + 1, "target", target)) >= 0;)
        last = row;
    return last;
}

static CompareFit fit_of(const Csv *log, const char *target, int64_t batch)
{
    const int last = last_row(log, target);
    if (last < 0)
        return (CompareFit){NAN, NAN};
    const char *run = csv_cell(log, last, "run");
    CompareFit fit = {0};
    for (int row = -1; (row = csv_find(log, row + 1, "target", target)) >= 0;) {
        if (strcmp(csv_cell(log, row, "run"), run) != 0)
            continue;
        fit.images += (double)batch;
        fit.seconds += (double)batch / csv_number(log, row, "images_per_second");
    }
    return fit;
}

void compare_fits(const Comparison *c, CompareFit *fits)
{
    Csv log = {0};
    Error ignored = {0};
    char *path = memory_format("%s/metrics.csv", network_run(c->network));
    const bool there = csv_read(&log, path, &ignored);
    for (int head = 0; head < network_heads(c->network); head++) {
        const Config *config = network_head_config(c->network, head);
        const bool is_output = network_head_is_output(c->network, head);
        fits[head] = !there ? (CompareFit){NAN, NAN}
                     : is_output
                         ? fit_of(&log, "hybrid", config->stage1.batch)
                         : fit_of(&log, network_head_name(c->network, head), config->stage2.batch);
    }
    csv_free(&log);
    memory_free(path);
}
