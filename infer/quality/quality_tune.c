/* The search for the best eps_scale of a cell.
 *
 * The distance as a function of eps_scale is one valley, but for the noise of few samples. All
 * values of a search are of the same x_T and the same noise, so that they differ by eps_scale alone.
 * Golden-section search finds the bottom. The value at 1 is taken too: the result is never worse
 * than no correction on the half of the search.
 */
#include "infer/quality/quality_tune.h"

#include "infer/quality/quality_draw.h"
#include "stats/golden_section.h"

#include <math.h>

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

/* A search in progress. */
typedef struct Search {
    QualityTuner *tuner;
    SamplingPlan *cell;
    const QualityTuneWork *work;
} Search;

/* *distance := that of samples with this eps_scale. The samples are those after the samples of the
 * table, so that their noise is another. */
static bool distance_at(void *context, double scale, double *distance, Error *error)
{
    const Search *search = context;
    const QualityTuneWork *work = search->work;
    QualityTuner *tuner = search->tuner;
    double values[QUALITY_METRICS];
    search->cell->reverse.correction.eps_scale = scale;
    if (!quality_draw(tuner->network, search->cell, work->noise, tuner->count, tuner->count,
                      work->images, work->progress, error) ||
        !quality_meter_measure(tuner->meter, work->images, tuner->count, values, error))
        return false;
    *distance = values[tuner->metric];
    return true;
}

bool quality_tune(QualityTuner *tuner, SamplingPlan *cell, const QualityTuneWork *work,
                  Error *error)
{
    Search search = {.tuner = tuner, .cell = cell, .work = work};
    const Scalar function = {.value = distance_at, .context = &search};
    double at_one, best = 1, least;
    const bool ok = distance_at(&search, 1, &at_one, error) &&
                    golden_section(&function, QUALITY_TUNE_LOW, QUALITY_TUNE_HIGH,
                                   QUALITY_TUNE_DRAWS - 1, &best, &least, error);
    if (ok && !(least < at_one))
        best = 1;
    cell->reverse.correction.eps_scale = ok ? best : NAN;
    return ok;
}
