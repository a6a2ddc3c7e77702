/* The comparison that infer compare puts together, and the names that all of its files share.
 *
 * compare.c fills in a Comparison part by part and writes it as a page. Each file uses those below
 * it:
 *
 *     compare            options, checks, and the order of the parts
 *     compare_rows       variances with floors: the rows of tables
 *     compare_page       compare.html
 *     compare_reuse      the tables of infer nll and quality and the pictures of infer sample:
 *                        stored ones if they serve, or new ones
 *     compare_figures    the charts
 *     compare_maps       sigma per pixel, by each head
 *     compare_correlation   correlations within blocks of pixels
 *     compare_costs      what a step of a sample costs with each variance
 *     compare_fit        what its head took to fit
 *     compare_table      the tables of the page
 *     compare_task       this file: names of files, rows of stored tables
 */
#pragma once

#include "infer/command.h"
#include "infer/csv.h"
#include "infer/lists.h"
#include "inference/network.h"
#include "picture/plot.h"

enum { COMPARE_MAP_TIMES = 5, COMPARE_MAP_HEADS = 4 };

typedef enum CompareSection { COMPARE_NLL, COMPARE_QUALITY, COMPARE_CALIBRATION } CompareSection;

/* Figures: bounds on every trajectory, metrics with every sampler, calibration. Bounds and the
 * first metric have a second figure, over seconds. */
enum {
    COMPARE_METRICS = 5,
    COMPARE_MAX_FIGURES = 2 * TRAJECTORY_KINDS + (COMPARE_METRICS + 1) * LISTS_SAMPLERS + 1
};

typedef struct Figure {
    /* Its section of the page. */
    CompareSection section;
    /* A part of the names of its files: "frechet-ddim". */
    char *name;
    char *title;
    /* SVG */
    PlotBytes light, dark;
} Figure;

/* The maps as numbers, over the pixels of all images at one timestep. */
typedef struct MapRow {
    int t;
    /* The largest sigma of any head, which is white. */
    double max;
    /* The means of sigma, by each head. */
    double mean[COMPARE_MAP_HEADS];
    /* The root mean square of the difference from the sigma of the first head. */
    double difference[COMPARE_MAP_HEADS];
    /* With the sigma of the first head, over pixels; NAN where one of them is constant. */
    double correlation[COMPARE_MAP_HEADS];
} MapRow;

/* Maps of sigma by several heads. */
typedef struct CompareMaps {
    /* The path of the picture; NULL: no compared variance reads a head. */
    char *path;
    /* [count]: the compared variances that stand for the heads, as indices of
     * Comparison.variances. */
    int rows[COMPARE_MAP_HEADS], count;
    /* [time_count] */
    MapRow times[COMPARE_MAP_TIMES];
    int time_count;
} CompareMaps;

/* The correlations of neighbouring pixels at one timestep: their mean. */
typedef struct CorrelationRow {
    int t;
    double neighbours;
} CorrelationRow;

typedef struct Comparison {
    CommonOptions *common;
    Network *network;
    /* The directory of the results. */
    const char *out;
    /* The fingerprint of the network. */
    uint64_t identity;
    uint64_t seed;
    /* The settings of stored samples that serve (results.h). */
    char *settings;
    /* The file of Inception's weights, and the name of its features; NULL: the features are a
     * classifier's. */
    const char *inception;
    char *inception_name;
    /* [variance_count]: the rows of tables. A variance that floors change has a row for each. */
    const Variance *variances[LISTS_MAX_ROWS];
    /* [variance_count]: the floors of their estimates. */
    double floors[LISTS_MAX_ROWS];
    /* [variance_count]: their names in tables of bounds. */
    EstimateLabel labels[LISTS_MAX_ROWS];
    int variance_count;
    /* The row that nobody asked for, of NPR with its best floor beside nll (compare_rows.h); -1:
     * there is none. It has bounds alone. */
    int extra;
    /* Its name, where a stored table serves that does not have it. */
    EstimateLabel missing;
    /* Samples of each variance have a row for each of these. Bounds have none of them. */
    CorrectionList corrections;
    /* Ascending. */
    int steps[LISTS_MAX_STEPS], steps_count;
    /* Of bounds. Samples follow the linear trajectory. */
    TrajectoryKind trajectories[TRAJECTORY_KINDS];
    int trajectory_count;
    /* Of samples. Bounds are those of DDPM. */
    Sampler samplers[LISTS_SAMPLERS];
    int sampler_count;
    /* Test images for the bounds, at least; 0: any number of a stored table. */
    int64_t images;
    /* Samples of each kind, at least; 0: the page has no quality of samples. */
    int64_t samples;
    /* The user gave no number of samples: a stored table with any number serves. */
    bool any_samples;
    bool fresh;

    Csv nll, calibration, quality, costs;
    bool has_quality;
    /* Why there is no quality; NULL: it was not asked for. */
    char *quality_problem;
    /* [sampler_count]: the paths of the sample grids. */
    char *grids[LISTS_SAMPLERS];
    Figure figures[COMPARE_MAX_FIGURES];
    int figure_count;
    CompareMaps maps;
    /* The path of the picture of correlations, and the variance that has them; NULL: none has. */
    char *correlation;
    const Variance *correlated;
    CorrelationRow correlation_rows[COMPARE_MAP_TIMES];
} Comparison;

/* The beginning of a file's name: "nll" for the linear trajectory, "nll-quad" for another;
 * "samples" for DDPM, "samples-ddim" for DDIM. Caller frees. */
char *compare_trajectory_stem(const char *what, TrajectoryKind kind);
char *compare_sampler_stem(const char *what, Sampler sampler);

/* The path of the file `name` in the directory of results. Caller frees. */
char *compare_path(const Comparison *c, const char *name);

/* The rows of samples: each variance with each correction of the mean. */
int compare_sample_rows(const Comparison *c);
/* The name of a row of samples in tables. */
EstimateLabel compare_sample_label(const Comparison *c, int row);

/* The name of samples of row v, without a correction of the mean. */
EstimateLabel compare_drawn_label(const Comparison *c, int v);

/* The name of map k: the label of its row. */
const char *compare_map_name(const Comparison *c, int k);

/* The options of estimates of a row. */
EstimateOptions compare_estimate(const Comparison *c, int v);

/* Whether the sampler has samples of the row: DDIM has no beta. */
bool compare_has_samples(const Comparison *c, Sampler sampler, int v);

/* The row of variances of a row of samples. */
int compare_sample_row(const Comparison *c, int row);

/* The subject of a row of nll.csv or quality.csv. */
typedef struct CompareKey {
    /* The label of the variance. */
    const char *variance;
    int steps;
    TrajectoryKind trajectory;
    /* DDPM for nll.csv, which has no such column. */
    Sampler sampler;
    /* NULL for nll.csv. */
    const char *metric;
} CompareKey;

/* The row of the table; -1 if there is none. */
int compare_row(const Csv *table, const CompareKey *key);

/* The metrics of samples, in the order of the page. */
typedef struct CompareMetric {
    const char *name, *title;
    bool most_is_best;
} CompareMetric;

extern const CompareMetric compare_metrics[COMPARE_METRICS];

/* The row of quality.csv that compares real images with real images; -1 if there is none. */
int compare_real_row(const Csv *quality, const char *metric);
