/* The bottom of infer compare: the names of its files, and the rows of stored tables.
 *
 * A stored table may hold more rows than were asked for, in any order. So the other files of
 * compare look a row up by its subject (CompareKey) and a value by the name of its column.
 */
#include "infer/compare/compare_task.h"

#include "base/memory.h"
#include "inference/sampler.h"

#include <string.h>

const CompareMetric compare_metrics[COMPARE_METRICS] = {
    {"frechet", "Fréchet distance (less is better)", false},
    {"kid", "Kernel distance, KID (less is better)", false},
    {"precision", "Precision: samples that look like data (more is better)", true},
    {"recall", "Recall: data that samples cover (more is better)", true},
    {"sliced", "Sliced Wasserstein distance of pixels (less is better)", false},
};

char *compare_trajectory_stem(const char *what, TrajectoryKind kind)
{
    return kind == TRAJECTORY_LINEAR ? memory_string(what)
                                     : memory_format("%s-%s", what, trajectory_name(kind));
}

char *compare_sampler_stem(const char *what, Sampler sampler)
{
    return sampler == SAMPLER_DDPM ? memory_string(what)
                                   : memory_format("%s-%s", what, sampler_name(sampler));
}

char *compare_path(const Comparison *c, const char *name)
{
    return memory_format("%s/%s", c->out, name);
}

int compare_sample_rows(const Comparison *c)
{
    return c->variance_count * c->corrections.count;
}

static EstimateLabel label_of_samples(const Comparison *c, int v, MeanCorrection correction)
{
    const SamplingPlan plan = {.variance = c->variances[v],
                               .estimate = compare_estimate(c, v),
                               .reverse.correction = correction,
                               .krylov = (int)c->common->full.krylov};
    return sampling_label(&plan);
}

EstimateLabel compare_sample_label(const Comparison *c, int row)
{
    return label_of_samples(c, compare_sample_row(c, row),
                            c->corrections.items[row % c->corrections.count]);
}

EstimateLabel compare_drawn_label(const Comparison *c, int v)
{
    return label_of_samples(c, v, corrections_none().items[0]);
}

const char *compare_map_name(const Comparison *c, int k)
{
    return c->labels[c->maps.rows[k]].text;
}

EstimateOptions compare_estimate(const Comparison *c, int v)
{
    EstimateOptions options = c->common->estimate;
    options.floor = c->floors[v];
    return options;
}

int compare_sample_row(const Comparison *c, int row)
{
    return row / c->corrections.count;
}

bool compare_has_samples(const Comparison *c, Sampler sampler, int v)
{
    const Variance *variance = c->variances[v];
    ReverseOptions options = reverse_defaults(sampler);
    options.variance = variance->step;
    Error ignored = {0};
    return v != c->extra && variance_check_step(variance, &options, &ignored);
}

int compare_row(const Csv *table, const CompareKey *key)
{
    for (int row = -1; (row = csv_find(table, row + 1, "variance", key->variance)) >= 0;)
        if (strcmp(csv_cell(table, row, "trajectory"), trajectory_name(key->trajectory)) == 0 &&
            csv_number(table, row, "steps") == key->steps &&
            (!key->metric ||
             (strcmp(csv_cell(table, row, "metric"), key->metric) == 0 &&
              strcmp(csv_cell(table, row, "sampler"), sampler_name(key->sampler)) == 0)))
            return row;
    return -1;
}

int compare_real_row(const Csv *quality, const char *metric)
{
    int row = csv_find(quality, 0, "variance", "real");
    while (row >= 0 && strcmp(csv_cell(quality, row, "metric"), metric) != 0)
        row = csv_find(quality, row + 1, "variance", "real");
    return row;
}
