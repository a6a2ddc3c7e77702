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

/* "beta, sn or npr" */
static char *names_of_all(void)
{
    char *names = memory_string(variance_table[0]->name);
    for (int i = 1; i < VARIANCE_COUNT; i++) {
        char *longer = memory_format("%s%s%s", names, i + 1 < VARIANCE_COUNT ? ", " : " or ",
                                     variance_table[i]->name);
        memory_free(names);
        names = longer;
    }
    return names;
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
    char *names = names_of_all();
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
