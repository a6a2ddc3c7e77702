/* Reads --eps-scale and --dcw.
 *
 * --eps-scale is a list with commas. --dcw takes a pair, low,high, and is repeated for several
 * pairs. The corrections of a command are all combinations, the pairs varying fastest.
 */
#include "infer/corrections.h"

#include "base/list.h"
#include "base/memory.h"
#include "infer/lists.h"

#include <stdlib.h>

/* A number that makes up the whole text. */
static bool is_number(const char *text, double *value)
{
    char *end = NULL;
    *value = lists_number(strtod(text, &end));
    return end != text && *end == '\0' && text[0] != ' ';
}

static bool read_scale(const char *text, double *scale, Error *error)
{
    if (is_number(text, scale) && *scale >= CORRECTIONS_LEAST_SCALE &&
        *scale <= CORRECTIONS_MOST_SCALE)
        return true;
    return error_input(error, "--eps-scale: expected numbers from %g to %g, got \"%s\"",
                       CORRECTIONS_LEAST_SCALE, CORRECTIONS_MOST_SCALE, text);
}

static bool is_strength(const char *text, double *value)
{
    return text && is_number(text, value) && *value >= -CORRECTIONS_MOST_DCW &&
           *value <= CORRECTIONS_MOST_DCW;
}

/* "low,high", and nothing after it. */
static bool read_pair(const char *text, MeanCorrection *pair, Error *error)
{
    const char *rest = text;
    char *low = list_next(&rest), *high = list_next(&rest), *more = list_next(&rest);
    const bool ok = is_strength(low, &pair->dcw_low) && is_strength(high, &pair->dcw_high) && !more;
    memory_free(low);
    memory_free(high);
    memory_free(more);
    return ok || error_input(error,
                             "--dcw: expected two numbers from %g to %g with a comma between, for "
                             "example 0.05,0.01, got \"%s\"",
                             -CORRECTIONS_MOST_DCW, CORRECTIONS_MOST_DCW, text);
}

static bool add(CorrectionList *list, MeanCorrection correction, const char *option,
                const char *text, Error *error)
{
    for (int i = 0; i < list->count; i++)
        if (mean_correction_equal(&list->items[i], &correction))
            return error_input(error, "%s: %s is given twice", option, text);
    if (list->count == CORRECTIONS_MAX)
        return error_input(error, "%s: expected at most %d corrections", option, CORRECTIONS_MAX);
    list->items[list->count++] = correction;
    return true;
}

static bool read_scales(const char *text, CorrectionList *list, Error *error)
{
    bool ok = true;
    for (char *item; ok && (item = list_next(&text)) != NULL; memory_free(item)) {
        MeanCorrection correction = {0};
        ok = read_scale(item, &correction.eps_scale, error) &&
             add(list, correction, "--eps-scale", item, error);
    }
    return ok;
}

static bool read_pairs(const StringList *texts, CorrectionList *list, Error *error)
{
    for (int i = 0; i < texts->count; i++) {
        MeanCorrection pair = {.eps_scale = 1};
        if (!read_pair(texts->items[i], &pair, error) ||
            !add(list, pair, "--dcw", texts->items[i], error))
            return false;
    }
    return true;
}

CorrectionList corrections_none(void)
{
    return (CorrectionList){.items = {{.eps_scale = 1}}, .count = 1};
}

bool corrections_read(const CorrectionOptions *options, CorrectionList *list, Error *error)
{
    CorrectionList scales = {0}, pairs = {0};
    *list = (CorrectionList){0};
    if (!read_scales(options->eps_scales, &scales, error) ||
        !read_pairs(&options->dcw, &pairs, error))
        return false;
    scales = scales.count > 0 ? scales : corrections_none();
    pairs = pairs.count > 0 ? pairs : corrections_none();
    for (int i = 0; i < scales.count; i++)
        for (int k = 0; k < pairs.count; k++) {
            MeanCorrection both = pairs.items[k];
            both.eps_scale = scales.items[i].eps_scale;
            if (!add(list, both, "--eps-scale, --dcw", "a correction", error))
                return false;
        }
    return true;
}
