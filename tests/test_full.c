/* Tests of full: products with the network's Jacobian, and the noise of a step, against golden
 * values and against the dense matrix. VARHEAD_TABLE=1 in the environment prints the errors. */
#include "tests/full_point.h"
#include "tests/suite.h"

#include "base/memory.h"
#include "inference/full_noise.h"
#include "inference/network_products.h"
#include "stats/lanczos.h"

#include <math.h>

/* -- Products --------------------------------------------------------------------------------- */

/* The mean of both products against S q, for unit vectors. */
START_TEST(products_are_those_of_the_dense_matrix)
{
    static const char *const groups[] = {"low", "mid"};
    for (int g = 0; g < 2; g++) {
        Error error = {0};
        Point p = point_open(groups[g]);
        NetworkProducts *products;
        must(network_products_make(&products, p.network, 1, &error), &error);
        double *q = memory_small(p.dims, sizeof *q);
        double *right = memory_small(p.dims, sizeof *right);
        double *left = memory_small(p.dims, sizeof *left);
        double off = 0, size = 0;
        for (size_t j = 0; j < p.dims; j++) {
            q[j] = 1;
            must(network_product(products, p.x, &p.t, 1, q, right, &error), &error);
            must(network_transposed_product(products, p.x, &p.t, 1, q, left, &error), &error);
            for (size_t i = 0; i < p.dims; i++) {
                off += pow((right[i] + left[i]) / 2 - p.symmetric[i * p.dims + j], 2);
                size += pow(p.symmetric[i * p.dims + j], 2);
            }
            q[j] = 0;
        }
        if (getenv("VARHEAD_TABLE"))
            fprintf(stderr, "%s: products are off by %.2g\n", groups[g], sqrt(off / size));
        ck_assert_msg(sqrt(off / size) < 1e-4, "%s: off by %.2g", groups[g], sqrt(off / size));
        network_products_free(products);
        memory_free(q), memory_free(right), memory_free(left);
        point_close(&p);
    }
}
END_TEST

/* -- Noise ------------------------------------------------------------------------------------ */

/* |got - want| / |want| */
static double distance(const float *got, const double *want, size_t dims)
{
    double off = 0, size = 0;
    for (size_t i = 0; i < dims; i++) {
        off += pow(got[i] - want[i], 2);
        size += want[i] * want[i];
    }
    return sqrt(off / size);
}

/* The noise with a space of m dimensions; two images at once, the second one scaled. */
static void draw(const Point *p, int m, float *noise, FullSeen *seen)
{
    Error error = {0};
    FullNoise *full;
    const ReverseStep step = point_step(p);
    float *x = memory_small(2 * p->dims, sizeof *x), *z = memory_small(2 * p->dims, sizeof *z);
    double *golden_z = point_doubles(p, "z");
    for (size_t i = 0; i < p->dims; i++) {
        x[i] = p->x[i];
        x[p->dims + i] = p->x[i] / 2;
        z[i] = z[p->dims + i] = (float)golden_z[i];
    }
    must(full_noise_make(&full, p->network, 2, m, &error), &error);
    must(full_noise_draw(full, &step, x, 2, z, noise, &error), &error);
    *seen = full_noise_seen(full);
    full_noise_free(full);
    memory_free(x), memory_free(z);
    free(golden_z);
}

START_TEST(noise_is_golden_for_every_size_of_the_space)
{
    static const char *const groups[] = {"low", "mid"};
    for (int g = 0; g < 2; g++) {
        Point p = point_open(groups[g]);
        float *noise = memory_small(2 * p.dims, sizeof *noise);
        for (int m = 5; m <= 40; m *= 2) {
            char name[32];
            FullSeen seen;
            snprintf(name, sizeof name, "sym_%d", m);
            double *want = point_doubles(&p, name);
            draw(&p, m, noise, &seen);
            if (getenv("VARHEAD_TABLE"))
                fprintf(stderr, "%s %s: noise is off by %.2g\n", groups[g], name,
                        distance(noise, want, p.dims));
            ck_assert_msg(distance(noise, want, p.dims) < 1e-4, "%s %s: off by %.2g", groups[g],
                          name, distance(noise, want, p.dims));
            free(want);
        }
        memory_free(noise);
        point_close(&p);
    }
}
END_TEST

/* d = 64: all dimensions, and the root of the dense matrix. */
START_TEST(the_whole_space_is_the_dense_root)
{
    static const char *const groups[] = {"low", "mid"};
    for (int g = 0; g < 2; g++) {
        Point p = point_open(groups[g]);
        FullSeen seen;
        float *noise = memory_small(2 * p.dims, sizeof *noise);
        double *want = point_doubles(&p, "y"), *eigenvalues = point_doubles(&p, "cov_eigenvalues");
        draw(&p, (int)p.dims, noise, &seen);
        ck_assert_msg(distance(noise, want, p.dims) < 1e-4, "%s: off by %.2g", groups[g],
                      distance(noise, want, p.dims));
        int negative = 0;
        for (size_t i = 0; i < p.dims; i++)
            negative += eigenvalues[i] < 0;
        ck_assert_int_ge(seen.negative, negative);
        ck_assert_int_eq(seen.eigenvalues, 2 * (int64_t)p.dims);
        memory_free(noise);
        free(want), free(eigenvalues);
        point_close(&p);
    }
}
END_TEST

/* No eigenvalue of Sigma is above the step's bound. */
START_TEST(the_bound_of_the_last_noise_holds)
{
    Error error = {0};
    Point p = point_open("mid");
    FullNoise *full;
    ReverseStep step = point_step(&p);
    step.max_variance = 1e-6;
    float *noise = memory_small(p.dims, sizeof *noise), *z = memory_small(p.dims, sizeof *z);
    double square = 0, of_z = 0;
    for (size_t i = 0; i < p.dims; i++) {
        z[i] = (float)(i % 3) - 1;
        of_z += z[i] * z[i];
    }
    must(full_noise_make(&full, p.network, 1, 10, &error), &error);
    must(full_noise_draw(full, &step, p.x, 1, z, noise, &error), &error);
    for (size_t i = 0; i < p.dims; i++)
        square += noise[i] * noise[i];
    ck_assert_double_le(square, of_z * 1e-6 * 1.0001);
    ck_assert_double_gt(square, 0);
    full_noise_free(full);
    memory_free(noise), memory_free(z);
    point_close(&p);
}
END_TEST

/* The mean of Cov's eigenvalues is at most 1, so |Sigma^(1/2) z|^2 is at most (lambda^2 + gain)
 * |z|^2. At the last timestep it is just that: the untrained network has eigenvalues of thousands. */
START_TEST(the_mean_of_the_eigenvalues_is_at_most_one)
{
    Point p = point_open("mid");
    FullSeen seen;
    double square = 0, of_z = 0, *z = point_doubles(&p, "z");
    float *noise = memory_small(2 * p.dims, sizeof *noise);
    draw(&p, 10, noise, &seen);
    ck_assert_int_eq(seen.lowered, 0);
    p.s = network_schedule(p.network)->timesteps / 2;
    p.t = network_schedule(p.network)->timesteps;
    draw(&p, 10, noise, &seen);
    ck_assert_int_gt(seen.lowered, 0);
    for (size_t i = 0; i < p.dims; i++) {
        square += noise[i] * noise[i];
        of_z += z[i] * z[i];
    }
    const ReverseStep step = point_step(&p);
    ck_assert_double_eq_tol(square / of_z, step.fixed_variance + step.gain, 1e-5);
    memory_free(noise);
    free(z);
    point_close(&p);
}
END_TEST

SUITE_MAIN("full", products_are_those_of_the_dense_matrix,
           noise_is_golden_for_every_size_of_the_space, the_whole_space_is_the_dense_root,
           the_bound_of_the_last_noise_holds, the_mean_of_the_eigenvalues_is_at_most_one)
