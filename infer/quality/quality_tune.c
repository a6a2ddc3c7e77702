/* The search for the best correction of a cell.
 *
 * The distance as a function of one number is one valley, but for the noise of few samples. All
 * values of a search are of the same x_T and the same noise, so that they differ by the correction
 * alone. Golden-section search finds the bottom of the valley, for one number after the other. No
 * correction is tried too: the result is never worse on the half of the search.
 */
#include "infer/quality/quality_tune.h"

#include "base/note.h"
#include "infer/quality/quality_draw.h"
#include "stats/golden_section.h"

#include <math.h>
#include <stddef.h>

/* Values of a search for one number. */
enum { VALUES = 10 };

/* -- What is searched for --------------------------------------------------------------------- */

static const TunedNumber eps_scale[] = {
    {"eps_scale", 1, 0.97, 1.07, offsetof(MeanCorrection, eps_scale)}};
static const TunedNumber dcw[] = {{"dcw_low", 0, -0.4, 0.4, offsetof(MeanCorrection, dcw_low)},
                                  {"dcw_high", 0, -0.4, 0.4, offsetof(MeanCorrection, dcw_high)}};

const TunedNumber *quality_tuned_numbers(QualityTune what, int *count)
{
    *count = what == QUALITY_TUNE_DCW ? 2 : what == QUALITY_TUNE_EPS_SCALE ? 1 : 0;
    return what == QUALITY_TUNE_DCW ? dcw : eps_scale;
}

double *quality_tuned_number(const TunedNumber *number, MeanCorrection *correction)
{
    return (double *)((char *)correction + number->offset);
}

bool quality_tuned_is_neutral(QualityTune what, const MeanCorrection *correction)
{
    MeanCorrection neutral = *correction;
    quality_tuned_reset(what, &neutral);
    return mean_correction_equal(&neutral, correction);
}

void quality_tuned_reset(QualityTune what, MeanCorrection *correction)
{
    int count;
    const TunedNumber *numbers = quality_tuned_numbers(what, &count);
    for (int i = 0; i < count; i++)
        *quality_tuned_number(&numbers[i], correction) = numbers[i].neutral;
}

void quality_tuned_mark(QualityTune what, MeanCorrection *correction)
{
    int count;
    const TunedNumber *numbers = quality_tuned_numbers(what, &count);
    for (int i = 0; i < count; i++)
        *quality_tuned_number(&numbers[i], correction) = NAN;
}

int quality_tune_draws(QualityTune what)
{
    int count;
    quality_tuned_numbers(what, &count);
    return 1 + count * VALUES;
}

/* -- Searching -------------------------------------------------------------------------------- */

bool quality_tune_metric(const bool *wanted, QualityMetric *metric, Error *error)
{
    static const QualityMetric distances[] = {QUALITY_FRECHET, QUALITY_KID, QUALITY_SLICED};
    for (int i = 0; i < 3; i++)
        if (wanted[distances[i]]) {
            *metric = distances[i];
            return true;
        }
    return error_input(error, "--tune: makes a distance least; expected frechet, kid or sliced in "
                              "--metrics");
}

bool quality_tuner_make(QualityTuner *tuner, Error *error)
{
    const size_t dims = network_dims(tuner->network);
    tuner->wanted[tuner->metric] = true;
    const QualitySettings settings = {.wanted = tuner->wanted,
                                      .features = tuner->features,
                                      .reference =
                                          tuner->real->pixels + (size_t)tuner->real->count * dims,
                                      .count = tuner->real->count,
                                      .dims = (int)dims,
                                      .columns = 1,
                                      .seed = tuner->seed};
    return quality_meter_make(&tuner->meter, &settings, error);
}

void quality_tuner_free(QualityTuner *tuner)
{
    quality_meter_free(tuner->meter);
    tuner->meter = NULL;
}

/* A search in progress: of one number of the cell's correction. */
typedef struct Search {
    QualityTuner *tuner;
    SamplingPlan *cell;
    const QualityTuneWork *work;
    double *number;
} Search;

/* *distance := that of samples where the number is `value`. The samples are those after the samples
 * of the table, so that their noise is another. */
static bool distance_at(void *context, double value, double *distance, Error *error)
{
    const Search *search = context;
    const QualityTuneWork *work = search->work;
    QualityTuner *tuner = search->tuner;
    double values[QUALITY_METRICS];
    *search->number = value;
    if (!quality_draw(tuner->network, search->cell, work->noise, tuner->count, tuner->count,
                      work->images, work->progress, error) ||
        !quality_meter_measure(tuner->meter, work->images, tuner->count, values, error))
        return false;
    *distance = values[tuner->metric];
    return true;
}

/* Says so where a search ended at an end of its interval: the best number may be beyond. */
static void note_end(const TunedNumber *number, double best)
{
    const double near = 0.02 * (number->most - number->least); /* golden_section's last interval */
    if (best - number->least < near || number->most - best < near)
        note("--tune: the best %s, %.3g, is at the end of the search, from %g to %g", number->name,
             best, number->least, number->most);
}

/* Sets one number to the best one, with *least its distance, where it is less than *least was. */
static bool tune_number(Search *search, const TunedNumber *number, double *least, Error *error)
{
    const Scalar function = {.value = distance_at, .context = search};
    double best, distance;
    if (!golden_section(&function, number->least, number->most, VALUES, &best, &distance, error))
        return false;
    if (distance < *least)
        note_end(number, best);
    *search->number = distance < *least ? best : number->neutral;
    *least = fmin(distance, *least);
    return true;
}

bool quality_tune(QualityTuner *tuner, SamplingPlan *cell, const QualityTuneWork *work,
                  Error *error)
{
    MeanCorrection *correction = &cell->reverse.correction;
    int count;
    const TunedNumber *numbers = quality_tuned_numbers(tuner->what, &count);
    Search search = {.tuner = tuner,
                     .cell = cell,
                     .work = work,
                     .number = quality_tuned_number(&numbers[0], correction)};
    double least;
    quality_tuned_reset(tuner->what, correction);
    bool ok = distance_at(&search, numbers[0].neutral, &least, error);
    for (int i = 0; ok && i < count; i++) {
        search.number = quality_tuned_number(&numbers[i], correction);
        ok = tune_number(&search, &numbers[i], &least, error);
    }
    if (!ok)
        quality_tuned_mark(tuner->what, correction);
    return ok;
}
