/* Prints and writes the values of infer quality.
 *
 * On the screen each sampler has a table for each metric, variances down and numbers of steps
 * across, and a last row for real images. In the CSV a cell has a row for each metric.
 */
#include "infer/quality/quality_report.h"

#include "infer/quality/quality_cells.h"
#include "io/output.h"
#include "stats/points.h"

#include <stdio.h>
#include <string.h>

enum { MIN_WIDTH = 14 };

/* The digits after the point that are worth printing. */
static int digits_of(int metric)
{
    return metric == QUALITY_FRECHET ? 2 : 4;
}

static const char *title_of(int metric)
{
    static const char *const titles[QUALITY_METRICS] = {
        "Frechet distance, less is better", "kernel distance (KID), less is better",
        "precision, more is better", "recall, more is better",
        "sliced Wasserstein distance in pixels, less is better"};
    return titles[metric];
}

/* The title names the features, so that a number copied from its table keeps its unit. */
static void print_title(const QualityTask *task, int metric)
{
    printf("%s", title_of(metric));
    const Features *features = task->features;
    if (metric == QUALITY_SLICED || !features)
        printf("; no network\n");
    else if (features_are_inception(features))
        printf("; in features of %s\n", features->name);
    else
        printf("; in features of %s, accuracy %.3f\n", features->name, features->accuracy);
}

static void print_value(const QualityTask *task, int row, int metric)
{
    const double *values = quality_values(task, row, metric);
    const int digits = digits_of(metric);
    printf("  %8.*f +- %6.*f", digits, values[0], digits, resample_error(values, task->columns));
}

static const SamplingPlan *plan_of(const QualityTask *task, int cell)
{
    return &task->cells[cell];
}

/* The corrections of two cells, where that of a search counts as one, whatever it found. */
static bool same_correction(const QualityTask *task, int a, int b)
{
    MeanCorrection one = plan_of(task, a)->reverse.correction;
    MeanCorrection other = plan_of(task, b)->reverse.correction;
    const bool tuned = quality_is_tuned(task, a);
    if (tuned && quality_is_tuned(task, b)) {
        quality_tuned_reset(task->tune, &one);
        quality_tuned_reset(task->tune, &other);
    }
    return tuned == quality_is_tuned(task, b) && mean_correction_equal(&one, &other);
}

/* The name of a row on the screen: the label of its cells, and "-tuned" after a search, which finds
 * another number for each number of steps. */
static EstimateLabel row_label(const QualityTask *task, int cell)
{
    SamplingPlan plan = *plan_of(task, cell);
    if (!quality_is_tuned(task, cell))
        return sampling_label(&plan);
    quality_tuned_reset(task->tune, &plan.reverse.correction);
    EstimateLabel label = sampling_label(&plan);
    const size_t used = strlen(label.text);
    snprintf(label.text + used, sizeof label.text - used, "-tuned");
    return label;
}

/* The cells of a sampler are ordered by variance, then steps. Those of the first variance are
 * the columns of a table, and a row begins where the variance changes. */
static bool same_variance(const QualityTask *task, int a, int b)
{
    return plan_of(task, a)->variance == plan_of(task, b)->variance &&
           plan_of(task, a)->estimate.floor == plan_of(task, b)->estimate.floor &&
           plan_of(task, a)->estimate.scale == plan_of(task, b)->estimate.scale &&
           same_correction(task, a, b);
}

/* The cell of a sampler with the variance of cell `like` and the steps of cell `column`; -1:
 * none. */
static int find_cell(const QualityTask *task, Sampler sampler, int like, int column)
{
    for (int c = 0; c < task->cell_count; c++)
        if (plan_of(task, c)->reverse.sampler == sampler && same_variance(task, c, like) &&
            plan_of(task, c)->steps == plan_of(task, column)->steps)
            return c;
    return -1;
}

/* The width of the column of names. */
static int name_width(const QualityTask *task)
{
    int width = MIN_WIDTH;
    for (int c = 0; c < task->cell_count; c++) {
        const int length = (int)strlen(row_label(task, c).text);
        width = length >= width ? length + 1 : width;
    }
    return width;
}

static void print_table(const QualityTask *task, int first, int end, int metric)
{
    const SamplingPlan *plan = plan_of(task, first);
    const int width = name_width(task);
    print_title(task, metric);
    printf("%-*s", width, "steps");
    for (int c = first; c < end && same_variance(task, c, first); c++)
        printf(" %19d", plan_of(task, c)->steps);
    printf("\n");
    for (int row = first; row < end; row++) {
        if (row > first && same_variance(task, row, row - 1))
            continue;
        printf("%-*s", width, row_label(task, row).text);
        for (int c = first; c < end && same_variance(task, c, first); c++)
            print_value(task, 1 + find_cell(task, plan->reverse.sampler, row, c), metric);
        printf("\n");
    }
    printf("%-*s", width, "real");
    print_value(task, 0, metric);
    printf("\n\n");
}

/* What the searches of a sampler's cells found: a line for each row of its tables. */
static void print_tuned(const QualityTask *task, int first, int end)
{
    int count;
    const TunedNumber *numbers = quality_tuned_numbers(task->tune, &count);
    for (int c = first; c < end; c++) {
        if (!quality_is_tuned(task, c))
            continue;
        if (c == first || !same_variance(task, c, c - 1))
            printf("%s: %s", row_label(task, c).text,
                   task->tune == QUALITY_TUNE_DCW ? "dcw" : "eps-scale");
        MeanCorrection found = plan_of(task, c)->reverse.correction;
        for (int i = 0; i < count; i++)
            printf("%s%.4f", i == 0 ? " " : ",", *quality_tuned_number(&numbers[i], &found));
        printf(" (%d steps)", plan_of(task, c)->steps);
        printf(c + 1 < end && same_variance(task, c, c + 1)
                   ? ","
                   : ", found on the other held-out images\n");
    }
    if (task->tuned)
        printf("\n");
}

static void print_sampler(const QualityTask *task, int first, int end)
{
    const SamplingPlan *plan = plan_of(task, first);
    printf("%s", sampler_name(plan->reverse.sampler));
    if (plan->reverse.sampler == SAMPLER_DDIM)
        printf(" (eta %g)", plan->reverse.eta);
    printf(", %s trajectory\n\n", trajectory_name(plan->trajectory));
    for (int m = 0; m < QUALITY_METRICS; m++)
        if (task->wanted[m])
            print_table(task, first, end, m);
    print_tuned(task, first, end);
}

static void print_features(const Features *features)
{
    if (features && features_are_inception(features))
        printf("Features are the %d pool features of %s, Inception-v3: frechet is the FID between\n"
               "so many images, and kid the KID. Published FIDs are mostly of 50000 samples.\n",
               features->dims, features->name);
    else if (features)
        printf("Features are those of the classifier %s, which is right about %.1f %% of %lld\n"
               "held-out images; its distances are not Inception's, and compare with no published "
               "FID.\n",
               features->name, 100 * features->accuracy, (long long)features->test_images);
}

void quality_report_print(const QualityTask *task)
{
    printf("%d samples of each kind against %d held-out images (%s), +- bootstrap standard\n"
           "error. `real` is the floor: as many other held-out images in the place of samples.\n",
           task->count, task->reference, task->data);
    print_features(task->features);
    printf("\n");
    for (int first = 0, end; first < task->cell_count; first = end) {
        for (end = first; end < task->cell_count && plan_of(task, end)->reverse.sampler ==
                                                        plan_of(task, first)->reverse.sampler;)
            end++;
        print_sampler(task, first, end);
    }
}

/* -- CSV -------------------------------------------------------------------------------------- */

static void write_row(FILE *to, const QualityTask *task, int row, int metric)
{
    const double *values = quality_values(task, row, metric);
    const SamplingPlan *plan = row > 0 ? plan_of(task, row - 1) : NULL;
    if (plan)
        fprintf(to, "%s,%s,%s,%d", quality_label(task, row - 1).text,
                sampler_name(plan->reverse.sampler), trajectory_name(plan->trajectory),
                plan->steps);
    else
        fprintf(to, "real,,,");
    fprintf(to, ",%s,%.9g,%.3g,%d,%d", quality_metric_name((QualityMetric)metric), values[0],
            resample_error(values, task->columns), plan ? task->count : task->reference,
            task->reference);
    if (metric == QUALITY_SLICED)
        fprintf(to, ",,\n");
    else if (features_are_inception(task->features))
        fprintf(to, ",%s,\n", task->features->name);
    else
        fprintf(to, ",%s,%.6g\n", task->features->name, task->features->accuracy);
}

static void write_table(FILE *to, const void *context)
{
    const QualityTask *task = context;
    for (int row = 0; row <= task->cell_count; row++)
        for (int m = 0; m < QUALITY_METRICS; m++)
            if (task->wanted[m])
                write_row(to, task, row, m);
}

bool quality_report_table(const QualityTask *task, const char *path, Error *error)
{
    return output_text(path, FILE_QUALITY, write_table, task, error);
}
