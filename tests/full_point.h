/* The golden points of the variance full: a network, images x_t at two timesteps, and what is
 * expected of the Jacobian there. */
#pragma once

#include "tests/golden.h"
#include "tests/suite.h"

#include "inference/network.h"
#include "variance/variance.h"

static const char full_file[] = "tests/golden/golden_b_variances.h5";

/* The golden network with a batch of 4, and one of the points, "low" or "mid". */
typedef struct Point {
    Network *network;
    const char *group;
    int t, s;
    size_t dims;
    float *x;
    double *symmetric;
} Point;

static inline double *point_doubles(const Point *p, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "full/%s/%s", p->group, name);
    return golden_doubles(full_file, path, NULL, NULL);
}

static inline Point point_open(const char *group)
{
    Error error = {0};
    char path[64];
    Point p = {.group = group};
    NetworkOptions options = {.batch = 4};
    string_list_add(&options.source.checkpoints, "tests/golden/golden_b.h5");
    must(network_open(&p.network, &options, &error), &error);
    string_list_free(&options.source.checkpoints);
    must(network_prepare(p.network, 2, &error), &error);
    snprintf(path, sizeof path, "full/%s", group);
    p.t = (int)golden_attr_int(full_file, path, "t");
    p.s = (int)golden_attr_int(full_file, path, "s");
    snprintf(path, sizeof path, "full/%s/x_t", group);
    p.x = golden_floats(full_file, path, NULL, NULL);
    p.dims = network_dims(p.network);
    p.symmetric = point_doubles(&p, "S");
    return p;
}

static inline void point_close(Point *p)
{
    network_close(p->network);
    free(p->x), free(p->symmetric);
}

static inline ReverseStep point_step(const Point *p)
{
    ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    options.variance = variance_full.step;
    return reverse_step(network_schedule(p->network), &options, p->s, p->t);
}
