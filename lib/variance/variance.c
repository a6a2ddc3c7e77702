/* The table of variances as an array, and the search by name.
 *
 * The preprocessor makes an entry from each line of VARIANCES, so a new variance changes only that
 * list. */
#include "variance/variance.h"

#include "base/memory.h"

#include <string.h>

#define ENTRY(variance) &variance,
const Variance *const variance_table[] = {VARIANCES(ENTRY)};

int variance_index(const Variance *variance)
{
    for (int i = 0; i < VARIANCE_COUNT; i++)
        if (variance_table[i] == variance)
            return i;
    return -1;
}

/* Whether steps of DDIM can have the variance. */
static bool suits_ddim(const Variance *variance)
{
    return variance->step.beta_share == 0 && !variance->is_ddpm_only;
}

static bool is_any(const Variance *variance)
{
    (void)variance;
    return true;
}

/* "beta, sn or npr": the names of the variances that `has` accepts. Caller frees. */
static char *names_of(bool (*has)(const Variance *))
{
    char *names = memory_string("");
    const char *last = NULL; /* not yet in `names` */
    for (int i = 0; i < VARIANCE_COUNT; i++) {
        if (!has(variance_table[i]))
            continue;
        if (last) {
            char *longer = memory_format("%s%s%s", names, *names ? ", " : "", last);
            memory_free(names);
            names = longer;
        }
        last = variance_table[i]->name;
    }
    char *all = memory_format("%s%s%s", names, *names ? " or " : "", last ? last : "");
    memory_free(names);
    return all;
}

bool variance_parse(const char *name, const Variance **variance, Error *error)
{
    for (int i = 0; i < VARIANCE_COUNT; i++) {
        const Variance *one = variance_table[i];
        if (strcmp(name, one->name) == 0 || (one->alias && strcmp(name, one->alias) == 0)) {
            *variance = one;
            return true;
        }
    }
    char *names = names_of(is_any);
    error_input(error, "expected %s, got \"%s\"", names, name);
    memory_free(names);
    return false;
}

void variance_draw_correlated(const VarianceInput *input, const ReverseStep *step, const float *cov,
                              const float *z, float *noise)
{
    const BlockCorrelation *correlation = input->correlation;
    block_covariance_draw(&correlation->shape, block_correlation_at(correlation, input->t), step,
                          cov, z, noise);
}

int variances_with_tables(const Variance **variances, int count)
{
    int left = 0;
    for (int v = 0; v < count; v++)
        if (!variances[v]->depends_on_step)
            variances[left++] = variances[v];
    return left;
}

bool variance_check_step(const Variance *variance, const ReverseOptions *options, Error *error)
{
    if (!reverse_check(options, error))
        return false;
    if (options->sampler != SAMPLER_DDIM || suits_ddim(variance))
        return true;
    char *names = names_of(suits_ddim);
    error_input(error, "the variance %s is DDPM's; with ddim take %s", variance->name, names);
    memory_free(names);
    return false;
}

bool variance_check_bound(const Variance *variance, Error *error)
{
    return !variance->no_bound || error_input(error, "the variance %s has no bound: %s",
                                              variance->name, variance->no_bound);
}
