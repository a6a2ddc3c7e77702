/* What infer compare puts together: filled in by its parts, one after the other, and written as a page.
 *
 *     compare_reuse      the tables of infer nll and infer quality, and the picture of infer sample: those
 *                        that are there, or new ones
 *     compare_figures    the charts
 *     compare_maps       sigma per pixel, SN beside NPR
 *     compare_costs      the network's time, with and without heads
 *     compare_page       compare.html
 */
#pragma once

#include "command.h"
#include "csv.h"
#include "io/plot.h"
#include "lists.h"
#include "network.h"

enum { COMPARE_MAX_FIGURES = 8, COMPARE_MAP_TIMES = 5 };

typedef struct Figure {
    const char *name; /* of its files: "nll" */
    char *title;
    PlotBytes light, dark; /* SVG */
} Figure;

/* What the maps show, as numbers: means over the pixels of all images at one timestep. */
typedef struct MapRow {
    int t;
    double most;        /* the sigma that is white */
    double sn, npr;     /* the means of sigma */
    double difference;  /* the root mean square of sigma_sn - sigma_npr */
    double correlation; /* of sigma_sn and sigma_npr over pixels */
} MapRow;

typedef struct Comparison {
    CommonOptions *common;
    Network *network;
    const char *out; /* the directory of the results */
    VarianceKind variances[VARIANCE_KINDS];
    int variance_count;
    int steps[LISTS_MAX_STEPS], steps_count; /* ascending */
    int64_t images,
        samples;      /* at least so many; 0: any number will do, of samples none are wanted */
    bool any_samples; /* the number was not asked for: more or fewer will do */
    bool fresh;

    Csv nll, calibration, quality, costs;
    bool has_quality;
    char *quality_problem; /* why there is none; NULL: not wanted */
    char *grid;            /* the path of the sample grids */
    Figure figures[COMPARE_MAX_FIGURES];
    int figure_count;
    char *maps; /* the path of the picture; NULL: not both heads are there */
    MapRow map_rows[COMPARE_MAP_TIMES];
    int map_count;
} Comparison;

/* The path of a file of results, `name` in the directory `out`. Caller frees. */
char *compare_path(const Comparison *c, const char *name);

/* Whether `path` is there and was written after every checkpoint of the network. */
bool compare_is_new(const Comparison *c, const char *path);

/* The row of a variance at a number of steps, on the linear trajectory; -1 if there is none. sampler and
 * metric as in quality.csv, or NULL where the table has no such column. */
int compare_cell(const Csv *table, const char *variance, int steps, const char *sampler,
                 const char *metric);

/* Each fills in its part, and writes its own files. */
bool compare_find_tables(Comparison *c, Error *error);
bool compare_draw_figures(Comparison *c, Error *error);
bool compare_draw_maps(Comparison *c, Error *error);
bool compare_measure_costs(Comparison *c, Error *error);
bool compare_write_page(const Comparison *c, const char *path, Error *error);
