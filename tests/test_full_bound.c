/* Tests of the bounds of full: the terms of its spectra against golden values, dense and by
 * quadrature. VARHEAD_TABLE=1 in the environment prints the errors. */
#include "tests/full_point.h"
#include "tests/suite.h"

#include "base/memory.h"
#include "diffusion/likelihood.h"
#include "diffusion/spectrum.h"
#include "inference/full_spectrum.h"
#include "stats/lanczos.h"

#include <math.h>
#include <string.h>

static const char *const groups[] = {"low", "mid"};

/* The spectrum of a point for the golden residual; the FullSpectrum owns it. */
static const Spectrum *find(const Point *p, const FullOptions *options, uint64_t seed,
                            FullSpectrum **full)
{
    Error error = {0};
    double *r = point_doubles(p, "residual");
    must(full_spectrum_make(full, p->network, options, seed, &error), &error);
    const Spectrum *s = full_spectrum_find(*full, p->t, 0, 1, p->x, r, &error);
    must(s != NULL, &error);
    free(r);
    return s;
}

static double golden_number(const Point *p, const char *name)
{
    double *value = point_doubles(p, name);
    const double number = *value;
    free(value);
    return number;
}

static double kappa_of(const Point *p)
{
    return likelihood_kappa(network_schedule(p->network), p->s, p->t);
}

/* -- The dense spectrum ----------------------------------------------------------------------- */

START_TEST(the_dense_spectrum_is_golden)
{
    for (int g = 0; g < 2; g++) {
        Point p = point_open(groups[g]);
        FullSpectrum *full;
        const Spectrum *s = find(&p, &(FullOptions){.dense = true}, 1, &full);
        double *want = point_doubles(&p, "cov_eigenvalues");
        int negative = 0;
        ck_assert_int_eq(s->groups, 1);
        ck_assert_int_eq((size_t)s->size, p.dims);
        /* S's eigenvalues ascend, so those of Cov descend. */
        for (size_t i = 0; i < p.dims; i++) {
            const double w = want[p.dims - 1 - i];
            ck_assert_double_eq_tol(s->value[i], w < 0 ? 0 : w, 1e-4 * want[p.dims - 1]);
            negative += w < 0;
        }
        ck_assert_int_eq(full_spectrum_seen(full).negative, negative);
        ck_assert_int_eq((size_t)full_spectrum_seen(full).eigenvalues, p.dims);
        free(want);
        full_spectrum_free(full);
        point_close(&p);
    }
}
END_TEST

/* The term, and its parts: the logarithm of the determinant, and the quadratic form. */
START_TEST(the_dense_term_is_golden)
{
    for (int g = 0; g < 2; g++) {
        Point p = point_open(groups[g]);
        FullSpectrum *full;
        const Spectrum *s = find(&p, &(FullOptions){.dense = true}, 1, &full);
        const double kappa = kappa_of(&p), lambda2 = point_step(&p).lambda2;
        double error2, logdet = (double)p.dims * log(lambda2), quadratic = 0;
        for (int i = 0; i < s->size; i++) {
            logdet += log1p(kappa * s->value[i]);
            quadratic += kappa * s->square[i] / (1 + kappa * s->value[i]);
        }
        const double nats = spectrum_step(s, kappa, INFINITY, &error2);
        const double want = golden_number(&p, "kl_nats");
        if (getenv("VARHEAD_TABLE"))
            fprintf(stderr, "%s: dense term %.9g, golden %.9g\n", groups[g], nats, want);
        ck_assert_double_eq(error2, 0);
        ck_assert_double_eq_tol(nats, want, 1e-4 * fabs(want));
        ck_assert_double_eq_tol(logdet, golden_number(&p, "logdet"), 1e-4 * fabs(logdet));
        ck_assert_double_eq_tol(quadratic, golden_number(&p, "quadratic"), 1e-4 * quadratic);
        full_spectrum_free(full);
        point_close(&p);
    }
}
END_TEST

/* -- Quadrature ------------------------------------------------------------------------------- */

/* The tridiagonal matrix of Sigma, whose spaces are those of S: by the golden S, since the last
 * elements magnify the errors of products. */
START_TEST(the_small_matrix_is_golden)
{
    for (int g = 0; g < 2; g++) {
        Error error = {0};
        Point p = point_open(groups[g]);
        Lanczos l = {0};
        double *z = point_doubles(&p, "z"), *a = point_doubles(&p, "sym_a"),
               *b = point_doubles(&p, "sym_b"), *product = memory_small(p.dims, sizeof *product);
        must(lanczos_make(&l, p.dims, 10, &error), &error);
        lanczos_start(&l, z);
        while (lanczos_goes_on(&l)) {
            for (size_t i = 0; i < p.dims; i++) {
                product[i] = 0;
                for (size_t k = 0; k < p.dims; k++)
                    product[i] += p.symmetric[i * p.dims + k] * lanczos_vector(&l)[k];
            }
            lanczos_add(&l, product);
        }
        const ReverseStep step = point_step(&p);
        const Schedule *schedule = network_schedule(p.network);
        for (int j = 0; j < 10; j++) {
            const double sigma =
                step.lambda2 + step.gain * full_eigenvalue(schedule, p.t, l.diagonal[j]);
            const double beside = step.gain * (full_eigenvalue(schedule, p.t, 0) -
                                               full_eigenvalue(schedule, p.t, l.next[j]));
            ck_assert_double_eq_tol(sigma, a[j], 1e-5 * fabs(a[j]));
            if (j < 9)
                ck_assert_double_eq_tol(beside, fabs(b[j]), 1e-5 * fabs(a[j]));
        }
        lanczos_free(&l);
        memory_free(product);
        free(z), free(a), free(b);
        point_close(&p);
    }
}
END_TEST

/* The weights of a quadrature add up to the dimensions, the squares to |r|^2. With all dimensions
 * the quadratic form is that of the dense matrix, whatever the random vectors. */
START_TEST(the_whole_space_has_the_golden_quadratic_form)
{
    for (int g = 0; g < 2; g++) {
        Point p = point_open(groups[g]);
        FullSpectrum *full;
        double *r = point_doubles(&p, "residual"), weights = 0, squares = 0, of_r = 0;
        const Spectrum *s = find(&p, &(FullOptions){.krylov = (int)p.dims, .probes = 1}, 1, &full);
        const double kappa = kappa_of(&p);
        double quadratic = 0;
        for (int i = 0; i < s->groups * s->size; i++) {
            weights += s->weight[i];
            squares += s->square[i];
            quadratic += kappa * s->square[i] / (1 + kappa * s->value[i]);
        }
        for (size_t i = 0; i < p.dims; i++)
            of_r += r[i] * r[i];
        ck_assert_double_eq_tol(weights, (double)p.dims, 1e-9 * (double)p.dims);
        ck_assert_double_eq_tol(squares, of_r, 1e-9 * of_r);
        ck_assert_double_eq_tol(quadratic, golden_number(&p, "quadratic"), 1e-4 * quadratic);
        free(r);
        full_spectrum_free(full);
        point_close(&p);
    }
}
END_TEST

/* With the default space the term is the golden one, but for the standard error that the quadrature
 * says of itself, and for a few hundredths that a small space is off. */
START_TEST(a_quadrature_is_near_the_golden_term)
{
    for (int g = 0; g < 2; g++) {
        Point p = point_open(groups[g]);
        FullSpectrum *full;
        const Spectrum *s = find(&p, &(FullOptions){.krylov = 10, .probes = 6}, 5, &full);
        double error2;
        const double nats = spectrum_step(s, kappa_of(&p), INFINITY, &error2);
        const double want = golden_number(&p, "kl_nats");
        if (getenv("VARHEAD_TABLE"))
            fprintf(stderr, "%s: term %.6g +- %.2g, golden %.6g\n", groups[g], nats, sqrt(error2),
                    want);
        ck_assert_double_gt(error2, 0);
        ck_assert_double_le(fabs(nats - want), 4 * sqrt(error2) + 0.03 * fabs(want));
        full_spectrum_free(full);
        point_close(&p);
    }
}
END_TEST

/* Three vectors, each with one node: their estimates are 3 f(c) of weight 1 each. */
START_TEST(the_standard_error_is_the_spread_of_the_vectors)
{
    double value[] = {0, 0.1, 0.3, 0.9}, weight[] = {0, 2, 2, 2}, square[] = {0.5, 0, 0, 0};
    const Spectrum s = {.groups = 4, .size = 1, .value = value, .weight = weight, .square = square};
    const double kappa = 5;
    double error2, f[3], mean = 0, spread = 0;
    for (int i = 0; i < 3; i++) {
        const double x = kappa * value[i + 1];
        f[i] = 0.5 * 6 * (log1p(x) - x / (1 + x));
        mean += f[i] / 3;
    }
    for (int i = 0; i < 3; i++)
        spread += (f[i] - mean) * (f[i] - mean);
    ck_assert_double_eq_tol(spectrum_step(&s, kappa, INFINITY, &error2), mean + 0.5 * kappa * 0.5,
                            1e-12);
    ck_assert_double_eq_tol(error2, spread / 2 / 3, 1e-12);
    const Spectrum one = {
        .groups = 2, .size = 1, .value = value, .weight = weight, .square = square};
    spectrum_step(&one, kappa, INFINITY, &error2);
    ck_assert(isnan(error2));
}
END_TEST

/* -- The bound -------------------------------------------------------------------------------- */

/* An eigenvalue above the bound counts as the bound. */
START_TEST(eigenvalues_are_bounded)
{
    double value[] = {0.5, 0.1, 0}, weight[] = {1, 1, 1}, square[] = {0.2, 0, 0.4};
    const Spectrum s = {.groups = 1, .size = 3, .value = value, .weight = weight, .square = square};
    const float cov[] = {0.5f, 0.1f, 0};
    const double off2[] = {0.2, 0, 0.4};
    double error2;
    for (int k = 0; k < 2; k++) {
        const double most = k ? 0.2 : INFINITY;
        ck_assert_double_eq_tol(spectrum_step(&s, 3, most, &error2),
                                likelihood_step(3, off2, cov, most, 3), 1e-6);
    }
}
END_TEST

/* -- The mean of the eigenvalues -------------------------------------------------------------- */

/* 0 + 0.5 + 2 c = 4, and with weights 0 + 2 (0.5) + 3 c = 6. An entry without weight has no part. */
START_TEST(the_largest_values_share_what_the_mean_leaves)
{
    const double value[] = {0, 0.5, 4, 10}, ones[] = {1, 1, 1, 1}, weights[] = {1, 2, 0, 3};
    ck_assert_double_eq_tol(spectrum_most(value, ones, 4, 1), 1.75, 1e-12);
    ck_assert_double_eq_tol(spectrum_most(value, weights, 4, 1), 5.0 / 3, 1e-12);
    ck_assert_double_eq_tol(spectrum_most(value, ones, 4, 3.6), 9.9, 1e-12);
    ck_assert_double_eq_tol(spectrum_most((double[]){7, 9}, ones, 2, 1), 1, 1e-12);
    ck_assert(isinf(spectrum_most(value, ones, 4, 3.625)));
    ck_assert(isinf(spectrum_most(value, ones, 0, 1)));
    ck_assert(isinf(spectrum_most((double[]){NAN, 9}, ones, 2, 1)));
}
END_TEST

/* The mean of a spectrum's eigenvalues by its weights. */
static double mean_of(const Spectrum *s)
{
    double sum = 0, weights = 0;
    for (int i = 0; i < s->groups * s->size; i++) {
        sum += s->weight[i] * s->value[i];
        weights += s->weight[i];
    }
    return sum / weights;
}

/* At the last timestep the golden network, which is untrained, has eigenvalues of thousands. */
START_TEST(the_mean_of_a_spectrum_is_at_most_one)
{
    const FullOptions ways[] = {{.dense = true}, {.krylov = 10, .probes = 3}};
    for (int i = 0; i < 2; i++) {
        Point p = point_open("mid");
        FullSpectrum *full;
        p.t = network_schedule(p.network)->timesteps;
        const Spectrum *s = find(&p, &ways[i], 1, &full);
        ck_assert_double_eq_tol(mean_of(s), 1, 1e-9);
        ck_assert_int_gt(full_spectrum_seen(full).lowered, 0);
        full_spectrum_free(full);
        point_close(&p);

        p = point_open("mid");
        s = find(&p, &ways[i], 1, &full);
        ck_assert_double_lt(mean_of(s), 1);
        ck_assert_int_eq(full_spectrum_seen(full).lowered, 0);
        full_spectrum_free(full);
        point_close(&p);
    }
}
END_TEST

SUITE_MAIN("full_bound", the_dense_spectrum_is_golden, the_dense_term_is_golden,
           the_small_matrix_is_golden, the_whole_space_has_the_golden_quadratic_form,
           a_quadrature_is_near_the_golden_term, the_standard_error_is_the_spread_of_the_vectors,
           eigenvalues_are_bounded, the_largest_values_share_what_the_mean_leaves,
           the_mean_of_a_spectrum_is_at_most_one)
