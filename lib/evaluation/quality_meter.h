/* The distance of a set of images from a reference of real images, by several metrics:
 *
 *     frechet    Frechet distance in the features of a network         (stats/frechet.h)
 *     kid        kernel distance in these features                     (stats/kernel_distance.h)
 *     precision  share of the images on the manifold of the reference  (stats/manifold.h)
 *     recall     share of the reference on the manifold of the images
 *     sliced     sliced Wasserstein distance in pixels                 (stats/sliced.h)
 *
 * Each metric comes in columns: the value, then its bootstrap resamples (stats/points.h).
 * Statistics of the reference alone are computed once.
 */
#pragma once

#include "base/error.h"
#include "evaluation/features.h"

typedef enum QualityMetric {
    QUALITY_FRECHET,
    QUALITY_KID,
    QUALITY_PRECISION,
    QUALITY_RECALL,
    QUALITY_SLICED,
} QualityMetric;

/* With at least ten images, a resample of ten equal images, which has no pairs, has a probability
 * of 1e-9. */
enum { QUALITY_METRICS = QUALITY_SLICED + 1, QUALITY_LEAST_IMAGES = 10 };

/* The name of a metric in --metrics and in tables: "frechet". */
const char *quality_metric_name(QualityMetric metric);

/* wanted [QUALITY_METRICS] := the metrics in a list like "frechet,sliced"; NULL: all metrics. An
 * input error for an unknown name; it names the option --metrics. */
bool quality_metrics_parse(const char *list, bool *wanted, Error *error);

/* Whether any wanted metric is measured in features. wanted [QUALITY_METRICS]. */
bool quality_metrics_need_features(const bool *wanted);

typedef struct QualitySettings {
    /* [QUALITY_METRICS], borrowed. */
    const bool *wanted;
    /* Borrowed; NULL if no metric needs features. */
    Features *features;
    /* [count, dims]: the real images. Must outlive the meter. */
    const float *reference;
    int count, dims;
    /* 1 + the number of resamples. */
    int columns;
    /* Seeds the resamples and the directions. */
    uint64_t seed;
} QualitySettings;

typedef struct QualityMeter QualityMeter;

/* Prepares the reference. An error if memory runs out, or if the network or a statistic fails. */
bool quality_meter_make(QualityMeter **meter, const QualitySettings *settings, Error *error);
void quality_meter_free(QualityMeter *meter); /* NULL is fine */

/* values [QUALITY_METRICS, columns] := the metrics of images [count, dims]; NAN for metrics that
 * are not wanted. Sets of equal count get the same resamples. */
bool quality_meter_measure(QualityMeter *meter, const float *images, int count, double *values,
                           Error *error);
