/* How far a set of images is from a reference of real ones, by several measures at a time:
 *
 *     frechet    Frechet distance in the features of a classifier      (stats/frechet.h)
 *     kid        kernel distance there                                 (stats/kernel_distance.h)
 *     precision  share of the images on the manifold of the reference  (stats/manifold.h)
 *     recall     share of the reference on the manifold of the images
 *     sliced     sliced Wasserstein distance in pixels                 (stats/sliced.h)
 *
 * Each comes in columns: the value, then its bootstrap resamples (stats/points.h). What needs the reference
 * alone is computed once.
 */
#pragma once

#include "base/error.h"
#include "evaluation/feature_net.h"

typedef enum QualityMetric {
    QUALITY_FRECHET,
    QUALITY_KID,
    QUALITY_PRECISION,
    QUALITY_RECALL,
    QUALITY_SLICED,
} QualityMetric;

/* At least ten images: that all draws of a resample are of one, which has no pairs, is then out of the question. */
enum { QUALITY_METRICS = QUALITY_SLICED + 1, QUALITY_LEAST_IMAGES = 10 };

/* "frechet" and so on, as in --metrics and in tables. */
const char *quality_metric_name(QualityMetric metric);

/* wanted [QUALITY_METRICS] := the metrics of "frechet,sliced"; NULL: all. An input error names the option. */
bool quality_metrics_parse(const char *list, bool *wanted, Error *error);

/* Whether any of them is measured in features. */
bool quality_metrics_need_features(const bool *wanted);

typedef struct QualitySettings {
    const bool *wanted;     /* [QUALITY_METRICS] */
    FeatureNet *net;        /* NULL where no metric needs features */
    const float *reference; /* [count, dims]: the real images; must stay there */
    int count, dims;
    int columns;   /* 1 + resamples */
    uint64_t seed; /* of resamples and of directions */
} QualitySettings;

typedef struct QualityMeter QualityMeter;

bool quality_meter_make(QualityMeter **meter, const QualitySettings *settings, Error *error);
void quality_meter_free(QualityMeter *meter); /* NULL is fine */

/* values [QUALITY_METRICS, columns] of images [count, dims], NAN where not wanted. Sets of equal count are
 * resampled alike. */
bool quality_meter_measure(QualityMeter *meter, const float *images, int count, double *values,
                           Error *error);
