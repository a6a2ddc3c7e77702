/* The names and notes of the variance full (full_options.h). */
#include "inference/full_options.h"

#include "base/note.h"

#include <stdio.h>
#include <string.h>

void full_options_label(const FullOptions *options, char *label, size_t size)
{
    const size_t used = strlen(label);
    if (options->dense)
        snprintf(label + used, size - used, "-dense");
    else if (full_krylov(options) != FULL_DEFAULT_KRYLOV)
        snprintf(label + used, size - used, "-krylov%d", full_krylov(options));
}

void full_note_seen(FullSeen seen, const char *what)
{
    const double percent = 100.0 / (double)seen.eigenvalues;
    if (seen.negative > 0)
        note("%s: %.2g %% of the eigenvalues of Cov that were seen are negative, and count as 0",
             what, percent * (double)seen.negative);
    if (seen.lowered > 0)
        note("%s: %.2g %% of the eigenvalues of Cov that were seen are lowered, since their mean "
             "would be above 1",
             what, percent * (double)seen.lowered);
}
