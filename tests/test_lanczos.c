/* Tests of Lanczos' method: a diagonal matrix, whose functions are known. */
#include "base/random.h"
#include "stats/lanczos.h"
#include "tests/suite.h"

#include <math.h>

enum { DIMS = 12 };

/* The eigenvalues 1, 2, 3, ... */
static double eigenvalue(size_t i)
{
    return 1 + (double)i;
}

static void draw(double *z)
{
    float normal[DIMS];
    random_normal((RandomKey){.seed = 9, .purpose = RANDOM_NOISE}, normal, DIMS);
    for (int i = 0; i < DIMS; i++)
        z[i] = normal[i];
}

static void run(Lanczos *l, int max, const double *z)
{
    Error error = {0};
    must(lanczos_make(l, DIMS, max, &error), &error);
    lanczos_start(l, z);
    while (lanczos_goes_on(l)) {
        double product[DIMS];
        for (size_t i = 0; i < DIMS; i++)
            product[i] = eigenvalue(i) * lanczos_vector(l)[i];
        lanczos_add(l, product);
    }
    lanczos_solve(l);
}

/* |root(A) z - y| / |z| */
static double error_of_root(const Lanczos *l, const double *z)
{
    double values[DIMS], y[DIMS], sum = 0;
    for (int i = 0; i < l->size; i++)
        values[i] = sqrt(l->nodes[i]);
    lanczos_apply(l, values, y);
    for (size_t i = 0; i < DIMS; i++)
        sum += pow(sqrt(eigenvalue(i)) * z[i] - y[i], 2);
    return sqrt(sum) / l->norm;
}

START_TEST(all_dimensions_are_exact)
{
    double z[DIMS];
    Lanczos l;
    draw(z);
    run(&l, DIMS, z);
    ck_assert_int_eq(l.size, DIMS);
    for (size_t i = 0; i < DIMS; i++) {
        ck_assert_double_eq_tol(l.nodes[i], eigenvalue(i), 1e-11);
        ck_assert_double_eq_tol(l.shares[i], z[i] * z[i] / (l.norm * l.norm), 1e-11);
    }
    ck_assert_double_lt(error_of_root(&l, z), 1e-12);
    lanczos_free(&l);
}
END_TEST

START_TEST(the_error_falls_with_the_steps)
{
    double z[DIMS], last = 1;
    draw(z);
    for (int max = 1; max < DIMS; max += 2) {
        Lanczos l;
        run(&l, max, z);
        const double error = error_of_root(&l, z);
        ck_assert_int_eq(l.size, max);
        ck_assert_double_lt(error, 0.7 * last);
        last = error;
        lanczos_free(&l);
    }
    ck_assert_double_lt(last, 1e-6);
}
END_TEST

/* The shares are a rule of quadrature: exact for powers up to 2 size - 1. */
START_TEST(shares_integrate_powers)
{
    double z[DIMS];
    Lanczos l;
    draw(z);
    run(&l, 4, z);
    for (int power = 0; power < 8; power++) {
        double got = 0, want = 0;
        for (int i = 0; i < 4; i++)
            got += l.shares[i] * pow(l.nodes[i], power);
        for (size_t i = 0; i < DIMS; i++)
            want += z[i] * z[i] / (l.norm * l.norm) * pow(eigenvalue(i), power);
        ck_assert_double_eq_tol(got, want, 1e-10 * want);
    }
    lanczos_free(&l);
}
END_TEST

START_TEST(an_eigenvector_ends_the_space)
{
    double z[DIMS] = {[3] = -2}, y[DIMS];
    Lanczos l;
    run(&l, 5, z);
    ck_assert_int_eq(l.size, 1);
    ck_assert_double_eq_tol(l.nodes[0], 4, 1e-14);
    lanczos_apply(&l, &(double){7}, y);
    for (int i = 0; i < DIMS; i++)
        ck_assert_double_eq_tol(y[i], i == 3 ? -14 : 0, 1e-13);
    lanczos_free(&l);
}
END_TEST

START_TEST(zero_has_no_space)
{
    const double z[DIMS] = {0};
    double y[DIMS];
    Lanczos l;
    run(&l, 5, z);
    ck_assert_int_eq(l.size, 0);
    lanczos_apply(&l, NULL, y);
    for (int i = 0; i < DIMS; i++)
        ck_assert(y[i] == 0);
    lanczos_free(&l);
}
END_TEST

SUITE_MAIN("lanczos", all_dimensions_are_exact, the_error_falls_with_the_steps,
           shares_integrate_powers, an_eigenvector_ends_the_space, zero_has_no_space)
