/* Makes the rows of a comparison (compare_rows.h). Two floors are different rows where they give a
 * variance different names (nll_label). */
#include "infer/compare/compare_rows.h"

#include "infer/nll/nll_cells.h"

#include <string.h>

/* NPR's best floor on Fashion-MNIST's default network. */
static const double best_floor = 0.03;

static bool has_label(const Comparison *c, const EstimateLabel *label)
{
    for (int v = 0; v < c->variance_count; v++)
        if (strcmp(c->labels[v].text, label->text) == 0)
            return true;
    return false;
}

/* Adds a row, unless it is there. Returns whether it was added. */
static bool add_row(Comparison *c, const Variance *variance, double floor)
{
    EstimateOptions options = c->common->estimate;
    options.floor = floor;
    const EstimateLabel label = nll_label(&options, &c->common->full, variance);
    if (has_label(c, &label))
        return false;
    c->variances[c->variance_count] = variance;
    c->floors[c->variance_count] = floor;
    c->labels[c->variance_count++] = label;
    return true;
}

/* Whether NPR should have the extra row. */
static bool wants_extra(const Comparison *c, const Variance *const *kinds, int count)
{
    bool positive = false;
    for (int v = 0; v < count; v++)
        positive = positive || kinds[v]->is_positive;
    for (int i = 0; i < c->trajectory_count; i++)
        positive = positive && c->trajectories[i] != TRAJECTORY_DP;
    return positive;
}

void compare_make_rows(Comparison *c, const double *floors, int count)
{
    const Variance *kinds[VARIANCE_COUNT];
    const int kind_count = c->variance_count;
    for (int v = 0; v < kind_count; v++)
        kinds[v] = c->variances[v];
    const bool extra = count == 0 && wants_extra(c, kinds, kind_count);
    c->variance_count = 0;
    c->extra = -1;
    for (int v = 0; v < kind_count; v++) {
        add_row(c, kinds[v], count > 0 ? floors[0] : 0);
        for (int k = 1; k < count; k++)
            add_row(c, kinds[v], floors[k]);
        if (extra && kinds[v] == &variance_npr && add_row(c, kinds[v], best_floor))
            c->extra = c->variance_count - 1;
    }
}

void compare_drop_extra(Comparison *c)
{
    c->missing = c->labels[c->extra];
    c->variance_count--;
    for (int v = c->extra; v < c->variance_count; v++) {
        c->variances[v] = c->variances[v + 1];
        c->floors[v] = c->floors[v + 1];
        c->labels[v] = c->labels[v + 1];
    }
    c->extra = -1;
}
