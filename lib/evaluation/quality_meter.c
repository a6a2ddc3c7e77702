/* Measures sets of images against a reference (quality_meter.h).
 *
 * A set of images becomes two sets of points, its pixels and its features, with one set of weights:
 * column 0 and the resamples. The reference's share of each metric is computed once, when the meter
 * is made. Then each wanted metric of lib/stats runs on the images' points.
 */
#include "evaluation/quality_meter.h"

#include "base/list.h"
#include "base/memory.h"
#include "stats/frechet.h"
#include "stats/frechet_few.h"
#include "stats/kernel_distance.h"
#include "stats/manifold.h"
#include "stats/sliced.h"

#include <math.h>
#include <string.h>

/* The random streams of resamples. */
enum { STREAM_REFERENCE, STREAM_IMAGES };

static const char *const names[QUALITY_METRICS] = {"frechet", "kid", "precision", "recall",
                                                   "sliced"};

/* -- Names ------------------------------------------------------------------------------------ */

const char *quality_metric_name(QualityMetric metric)
{
    return names[metric];
}

static bool add_metric(const char *item, bool *wanted, Error *error)
{
    for (int m = 0; m < QUALITY_METRICS; m++)
        if (strcmp(item, names[m]) == 0) {
            wanted[m] = true;
            return true;
        }
    return error_input(
        error, "--metrics: expected frechet, kid, precision, recall or sliced, got \"%s\"", item);
}

bool quality_metrics_parse(const char *list, bool *wanted, Error *error)
{
    bool ok = true;
    for (int m = 0; m < QUALITY_METRICS; m++)
        wanted[m] = list == NULL;
    for (char *item; ok && (item = list_next(&list)) != NULL; memory_free(item))
        ok = add_metric(item, wanted, error);
    return ok;
}

bool quality_metrics_need_features(const bool *wanted)
{
    return wanted[QUALITY_FRECHET] || wanted[QUALITY_KID] || wanted[QUALITY_PRECISION] ||
           wanted[QUALITY_RECALL];
}

/* -- A set of images, as points in pixels and in features -------------------------------------- */

typedef struct Cloud {
    /* Both have the same weights. */
    Points pixels, features;
    float *feature_values;
    uint8_t *weights;
} Cloud;

struct QualityMeter {
    QualitySettings settings;
    Cloud reference;
    /* The reference's moments, fitted when they are first needed; its means of the kernel [columns];
     * the radii of its manifold [count]. */
    Gaussians gaussians;
    double *within;
    double *radii;
    /* [SLICED_DIRECTIONS, dims] */
    float *directions;
};

static bool make_cloud(Cloud *cloud, const QualitySettings *settings, const float *images,
                       int count, uint32_t stream, Error *error)
{
    const size_t rows = (size_t)count;
    *cloud = (Cloud){.weights = memory_large(rows, (size_t)settings->columns, "resamples", error)};
    if (!cloud->weights)
        return false;
    resample_draw(settings->seed, stream, count, settings->columns - 1, cloud->weights);
    cloud->pixels = (Points){.values = images,
                             .weights = cloud->weights,
                             .count = count,
                             .dims = settings->dims,
                             .columns = settings->columns};
    if (!settings->features)
        return true;
    const size_t dims = (size_t)settings->features->dims;
    cloud->feature_values = memory_large(rows, dims * sizeof(float), "features", error);
    cloud->features = cloud->pixels;
    cloud->features.values = cloud->feature_values;
    cloud->features.dims = settings->features->dims;
    return cloud->feature_values &&
           features_evaluate(settings->features, images, count, cloud->feature_values, error);
}

static void free_cloud(Cloud *cloud)
{
    memory_free(cloud->feature_values);
    memory_free(cloud->weights);
}

/* -- The reference ---------------------------------------------------------------------------- */

static bool measure_reference(QualityMeter *meter, Error *error)
{
    const QualitySettings *s = &meter->settings;
    const Points *features = &meter->reference.features;
    meter->within = memory_small((size_t)s->columns, sizeof *meter->within);
    if (s->wanted[QUALITY_KID] && !kernel_within(features, meter->within, error))
        return false;
    if (s->wanted[QUALITY_PRECISION]) {
        meter->radii = memory_large((size_t)s->count, sizeof(double), "radii", error);
        if (!meter->radii)
            return false;
        manifold_radii(features, MANIFOLD_NEIGHBOURS, meter->radii);
    }
    if (s->wanted[QUALITY_SLICED]) {
        meter->directions = memory_large((size_t)SLICED_DIRECTIONS * (size_t)s->dims, sizeof(float),
                                         "directions", error);
        if (!meter->directions)
            return false;
        sliced_directions(s->seed, SLICED_DIRECTIONS, s->dims, meter->directions);
    }
    return true;
}

bool quality_meter_make(QualityMeter **result, const QualitySettings *settings, Error *error)
{
    QualityMeter *meter = memory_small(1, sizeof *meter);
    meter->settings = *settings;
    const bool ok = make_cloud(&meter->reference, settings, settings->reference, settings->count,
                               STREAM_REFERENCE, error) &&
                    measure_reference(meter, error);
    *result = ok ? meter : NULL;
    if (!ok)
        quality_meter_free(meter);
    return ok;
}

void quality_meter_free(QualityMeter *meter)
{
    if (!meter)
        return;
    free_cloud(&meter->reference);
    gaussians_free(&meter->gaussians);
    memory_free(meter->within);
    memory_free(meter->radii);
    memory_free(meter->directions);
    memory_free(meter);
}

/* -- The metrics ------------------------------------------------------------------------------ */

/* Both ways give the same number. The second costs dims^3 operations for each column. */
static bool frechet(QualityMeter *meter, const Cloud *cloud, double *values, Error *error)
{
    const Points *points = &cloud->features, *reference = &meter->reference.features;
    if (points->count <= points->dims && reference->count <= points->dims)
        return frechet_few(points, reference, values, error);
    if (!meter->gaussians.mean && !gaussians_fit(&meter->gaussians, reference, error))
        return false;
    Gaussians gaussians;
    const bool ok = gaussians_fit(&gaussians, points, error) &&
                    frechet_distance(&gaussians, &meter->gaussians, values, error);
    gaussians_free(&gaussians);
    return ok;
}

static bool kid(QualityMeter *meter, const Cloud *cloud, double *values, Error *error)
{
    const int columns = meter->settings.columns;
    double *means = memory_small(2 * (size_t)columns, sizeof *means);
    const bool ok =
        kernel_within(&cloud->features, means, error) &&
        kernel_between(&cloud->features, &meter->reference.features, means + columns, error);
    if (ok)
        kernel_distance(means, meter->within, means + columns, columns, values);
    memory_free(means);
    return ok;
}

static bool precision(QualityMeter *meter, const Cloud *cloud, double *values, Error *error)
{
    return manifold_share(&cloud->features, &meter->reference.features, meter->radii, values,
                          error);
}

static bool recall(QualityMeter *meter, const Cloud *cloud, double *values, Error *error)
{
    double *radii = memory_large((size_t)cloud->features.count, sizeof *radii, "radii", error);
    if (!radii)
        return false;
    manifold_radii(&cloud->features, MANIFOLD_NEIGHBOURS, radii);
    const bool ok =
        manifold_share(&meter->reference.features, &cloud->features, radii, values, error);
    memory_free(radii);
    return ok;
}

static bool sliced(QualityMeter *meter, const Cloud *cloud, double *values, Error *error)
{
    return sliced_distance(&cloud->pixels, &meter->reference.pixels, meter->directions,
                           SLICED_DIRECTIONS, values, error);
}

bool quality_meter_measure(QualityMeter *meter, const float *images, int count, double *values,
                           Error *error)
{
    static bool (*const measure[QUALITY_METRICS])(QualityMeter *, const Cloud *, double *,
                                                  Error *) = {frechet, kid, precision, recall,
                                                              sliced};
    const size_t columns = (size_t)meter->settings.columns;
    for (size_t i = 0; i < QUALITY_METRICS * columns; i++)
        values[i] = NAN;
    Cloud cloud;
    bool ok = make_cloud(&cloud, &meter->settings, images, count, STREAM_IMAGES, error);
    for (int m = 0; ok && m < QUALITY_METRICS; m++)
        if (meter->settings.wanted[m])
            ok = measure[m](meter, &cloud, values + (size_t)m * columns, error);
    free_cloud(&cloud);
    return ok;
}
