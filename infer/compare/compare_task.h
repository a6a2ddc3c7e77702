/* Everything that infer compare puts together, and what all of its files need to know of it.
 *
 * compare.c fills in a Comparison part by part and writes it as a page. Each file uses those below it:
 *
 *     compare            options, checks, and the order of the parts
 *     compare_page       compare.html
 *     compare_reuse      the tables of infer nll and infer quality, and the pictures of infer sample:
 *                        stored ones if they serve, or new ones
 *     compare_figures    the charts
 *     compare_maps       sigma per pixel, SN beside NPR
 *     compare_costs      the time of the network, with and without heads
 *     compare_table      the tables of the page
 *     compare_task       this file: names of files, rows of stored tables
 */
#pragma once

#include "infer/command.h"
#include "infer/csv.h"
#include "infer/lists.h"
#include "inference/network.h"
#include "picture/plot.h"

enum { COMPARE_MAP_TIMES = 5 };

typedef enum CompareSection { COMPARE_NLL, COMPARE_QUALITY, COMPARE_CALIBRATION } CompareSection;

/* Figures: bounds on every trajectory, metrics with every sampler, calibration. */
enum {
    COMPARE_METRICS = 5,
    COMPARE_MAX_FIGURES = TRAJECTORY_KINDS + COMPARE_METRICS * LISTS_SAMPLERS + 1
};

typedef struct Figure {
    CompareSection section; /* of the page */
    char *name;             /* of its files: "frechet-ddim" */
    char *title;
    PlotBytes light, dark; /* SVG */
} Figure;

/* What the maps show, as numbers: means over the pixels of all images at one timestep. */
typedef struct MapRow {
    int t;
    double most;       /* the sigma that is white */
    double sn, npr;    /* the means of sigma */
    double difference; /* the root mean square of sigma_sn - sigma_npr */
    double
        correlation; /* of sigma_sn and sigma_npr over pixels; NAN where one of them is constant */
} MapRow;

typedef struct Comparison {
    CommonOptions *common;
    Network *network;
    const char *out;   /* the directory of the results */
    uint64_t identity; /* of the network */
    uint64_t seed;
    char *settings; /* what results must have been made with (command.h) */
    const Variance *variances[VARIANCE_COUNT];
    EstimateLabel labels[VARIANCE_COUNT]; /* [variance_count]: what the tables call them */
    int variance_count;
    int steps[LISTS_MAX_STEPS], steps_count;       /* ascending */
    TrajectoryKind trajectories[TRAJECTORY_KINDS]; /* of bounds; samples are on the linear one */
    int trajectory_count;
    Sampler samplers[LISTS_SAMPLERS]; /* of samples; bounds are DDPM's */
    int sampler_count;
    int64_t images,
        samples;      /* at least so many; 0: any number will do, of samples none are wanted */
    bool any_samples; /* the number was not asked for: more or fewer will do */
    bool fresh;

    Csv nll, calibration, quality, costs;
    bool has_quality;
    char *quality_problem;       /* why there is none; NULL: not wanted */
    char *grids[LISTS_SAMPLERS]; /* [sampler_count] the paths of the sample grids */
    Figure figures[COMPARE_MAX_FIGURES];
    int figure_count;
    char *maps; /* the path of the picture; NULL: not both heads are there */
    MapRow map_rows[COMPARE_MAP_TIMES];
    int map_count;
} Comparison;

/* "nll" for the usual trajectory, "nll-quad" for another, and "samples-ddim" likewise: of a file's name. Caller
 * frees. */
char *compare_trajectory_stem(const char *what, TrajectoryKind kind);
char *compare_sampler_stem(const char *what, Sampler sampler);

/* The path of a file of results, `name` in the directory `out`. Caller frees. */
char *compare_path(const Comparison *c, const char *name);

/* Whether the sampler can use the variance: DDIM has no beta. */
bool compare_possible(Sampler sampler, const Variance *variance);

/* What a row of nll.csv or quality.csv is of. */
typedef struct CompareKey {
    const char *variance; /* its label */
    int steps;
    TrajectoryKind trajectory;
    Sampler sampler;    /* nll.csv, where no row has one: DDPM */
    const char *metric; /* nll.csv: NULL */
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
