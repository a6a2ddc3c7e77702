/* Tests of the ridge and the share that a gamma regression borrows: what they stand for, and that
 * held-out rows choose them. */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "stats/gamma_shrinkage.h"
#include "tests/expect.h"

#include <math.h>

static Error error; /* of the last call */

enum { FEATURES = 6, MOST = 4000, FISHER = FEATURES * (FEATURES + 1) / 2 };

/* Rows with r = exp(w phi) z^2. */
typedef struct Drawn {
    GammaMatrix matrix;
    GammaRows rows;
    double phi[MOST * FEATURES], r[MOST], fisher[FISHER];
} Drawn;

static Drawn *draw(const double *w, int rows, uint32_t stream)
{
    Drawn *d = memory_small(1, sizeof *d);
    float *z = memory_small((size_t)rows * FEATURES, sizeof *z);
    random_normal((RandomKey){.seed = 11, .purpose = RANDOM_NOISE, .sample = stream}, z,
                  (size_t)rows * FEATURES);
    for (int i = 0; i < rows; i++) {
        const float *from = z + i * FEATURES;
        double l = 0;
        for (int j = 0; j < FEATURES; j++) {
            d->phi[i * FEATURES + j] = j + 1 < FEATURES ? (double)from[j] : 1;
            l += w[j] * d->phi[i * FEATURES + j];
        }
        d->r[i] = exp(l) * (double)from[FEATURES - 1] * (double)from[FEATURES - 1];
    }
    d->matrix = (GammaMatrix){.rows = (size_t)rows, .features = FEATURES, .phi = d->phi};
    d->rows = gamma_matrix_rows(&d->matrix);
    if (rows > 0)
        gamma_matrix_fisher(&d->matrix, d->fisher);
    memory_free(z);
    return d;
}

static const double truth[FEATURES] = {0.5, -0.3, 0.2, 0, 0.4, -1};
static const double elsewhere[FEATURES] = {-0.5, 0.3, 0.2, 0.6, -0.4, 1};

static GammaBin bin_of(const Drawn *own, const Drawn *held, const Drawn *all, const double *center)
{
    return (GammaBin){.own = &own->rows,
                      .held = &held->rows,
                      .r = own->r,
                      .held_r = held->r,
                      .fisher = own->matrix.rows > 0 ? own->fisher : all->fisher,
                      .all_fisher = all->fisher,
                      .center = center};
}

/* (1 - b) own(w) + b/2 (w - center)' all_fisher (w - center) by plain loops. */
static double borrowed_loss(const Drawn *own, const Drawn *all, const double *center, double b,
                            const double *w)
{
    double sum = 0;
    assert_ok(gamma_regression_loss(&own->rows, own->r, NULL, w, &sum, &error));
    sum *= 1 - b;
    for (int i = 0; i < FEATURES; i++)
        for (int j = 0; j < FEATURES; j++) {
            const int a = i > j ? i : j, c = i > j ? j : i;
            sum +=
                b / 2 * all->fisher[a * (a + 1) / 2 + c] * (w[i] - center[i]) * (w[j] - center[j]);
        }
    return sum;
}

START_TEST(a_share_is_a_part_of_the_loss_of_all_bins)
{
    Drawn *own = draw(truth, 2000, 1), *all = draw(elsewhere, 2000, 2);
    const GammaBin bin = bin_of(own, own, all, elsewhere);
    double w[FEATURES] = {0};
    const double share = 0.4;
    assert_ok(gamma_shrinkage_solve(&bin, (Shrinkage){.borrow = share}, w, &error));
    const double least = borrowed_loss(own, all, elsewhere, share, w);
    for (int j = 0; j < FEATURES; j++)
        for (int sign = -1; sign <= 1; sign += 2) {
            double near[FEATURES];
            memcpy(near, w, sizeof near);
            near[j] += 0.02 * sign;
            ck_assert_double_gt(borrowed_loss(own, all, elsewhere, share, near), least);
        }
    /* All is borrowed: the solution of all bins as it is. */
    assert_ok(gamma_shrinkage_solve(&bin, (Shrinkage){.borrow = 1}, w, &error));
    ck_assert_mem_eq(w, elsewhere, sizeof elsewhere);
    memory_free(own), memory_free(all);
}
END_TEST

/* Where all bins are alike, few rows borrow and many need not; where they differ, nobody borrows. */
START_TEST(held_out_rows_choose_the_share)
{
    Drawn *few = draw(truth, 12, 3), *many = draw(truth, MOST, 4), *all = draw(truth, MOST, 5);
    Drawn *held = draw(truth, MOST, 6);
    const struct {
        const Drawn *own;
        const double *center;
        bool borrows;
    } cases[] = {{few, truth, true}, {many, elsewhere, false}};
    for (int i = 0; i < 2; i++) {
        const GammaBin bin = bin_of(cases[i].own, held, all, cases[i].center);
        double w[FEATURES], loss, center_loss;
        Shrinkage chosen;
        memcpy(w, cases[i].center, sizeof w);
        assert_ok(gamma_shrinkage_fit(&bin, -1, &chosen, w, &error));
        ck_assert_msg((chosen.borrow >= 0.1) == cases[i].borrows, "case %d borrows %g", i,
                      chosen.borrow);
        assert_ok(gamma_regression_loss(&held->rows, held->r, NULL, w, &loss, &error));
        assert_ok(gamma_regression_loss(&held->rows, held->r, NULL, cases[i].center, &center_loss,
                                        &error));
        ck_assert_double_le(loss, center_loss + 2e-3);
    }
    memory_free(few), memory_free(many), memory_free(all), memory_free(held);
}
END_TEST

/* A feature that the bin's own rows hardly have gets a weight without a bound there, and an infinite loss
 * on held-out rows that have it. All bins together know better. */
START_TEST(a_bin_with_an_infinite_loss_borrows)
{
    enum { OWN = 100, HELD = 10, TWO = 2 };
    double own_phi[OWN * TWO], own_r[OWN], held_phi[HELD * TWO], held_r[HELD];
    for (int i = 0; i < OWN; i++) {
        own_phi[TWO * i] = i == 0 ? 0.01 : 0;
        own_phi[TWO * i + 1] = 1;
        own_r[i] = i == 0 ? 1e-6 : 1;
    }
    for (int i = 0; i < HELD; i++) {
        held_phi[TWO * i] = i == 0;
        held_phi[TWO * i + 1] = held_r[i] = 1;
    }
    const GammaMatrix own = {.rows = OWN, .features = TWO, .phi = own_phi};
    const GammaMatrix held = {.rows = HELD, .features = TWO, .phi = held_phi};
    const GammaRows own_rows = gamma_matrix_rows(&own), held_rows = gamma_matrix_rows(&held);
    const double all[] = {0.1, 0, 1}, center[TWO] = {0};
    double fisher[3], w[TWO] = {0}, loss;
    gamma_matrix_fisher(&own, fisher);
    const GammaBin bin = {.own = &own_rows,
                          .held = &held_rows,
                          .r = own_r,
                          .held_r = held_r,
                          .fisher = fisher,
                          .all_fisher = all,
                          .center = center};
    Shrinkage chosen;
    assert_ok(gamma_shrinkage_fit(&bin, -1, &chosen, w, &error));
    ck_assert_double_gt(chosen.borrow, 0);
    assert_ok(gamma_regression_loss(&held_rows, held_r, NULL, w, &loss, &error));
    ck_assert(loss < 1.001);
}
END_TEST

START_TEST(a_given_ridge_is_kept)
{
    Drawn *own = draw(truth, 500, 7), *held = draw(truth, 500, 8);
    const GammaBin bin = bin_of(own, held, own, NULL);
    double w[FEATURES] = {0}, same[FEATURES] = {0};
    Shrinkage chosen;
    assert_ok(gamma_shrinkage_fit(&bin, 0.3, &chosen, w, &error));
    ck_assert(chosen.ridge == 0.3 && chosen.borrow == 0);
    assert_ok(gamma_shrinkage_solve(&bin, chosen, same, &error));
    for (int j = 0; j < FEATURES; j++)
        ck_assert_double_eq_tol(w[j], same[j], 1e-3);
    memory_free(own), memory_free(held);
}
END_TEST

/* The weights of the held-out rows decide which of two truths is the better one. */
START_TEST(weights_decide_what_is_chosen)
{
    Drawn *own = draw(truth, MOST, 9), *all = draw(elsewhere, MOST, 10);
    Drawn *one = draw(truth, MOST / 2, 11), *two = draw(elsewhere, MOST / 2, 12);
    Drawn *held = draw(truth, MOST, 13);
    const size_t half = MOST / 2;
    memcpy(held->phi, one->phi, half * FEATURES * sizeof(double));
    memcpy(held->phi + half * FEATURES, two->phi, half * FEATURES * sizeof(double));
    memcpy(held->r, one->r, half * sizeof(double));
    memcpy(held->r + half, two->r, half * sizeof(double));
    for (int favoured = 0; favoured < 2; favoured++) {
        double *weight = memory_small(MOST, sizeof *weight), w[FEATURES] = {0};
        for (size_t i = 0; i < MOST; i++)
            weight[i] = (i >= half) == favoured ? 1.9 : 0.1;
        GammaBin bin = bin_of(own, held, all, elsewhere);
        bin.held_weight = weight;
        Shrinkage chosen;
        assert_ok(gamma_shrinkage_fit(&bin, -1, &chosen, w, &error));
        ck_assert_msg((chosen.borrow == 1) == favoured, "%d: %g", favoured, chosen.borrow);
        memory_free(weight);
    }
    memory_free(own), memory_free(all), memory_free(one), memory_free(two), memory_free(held);
}
END_TEST

START_TEST(without_rows_a_medium_share_or_all_is_borrowed)
{
    Drawn *own = draw(truth, 300, 14), *none = draw(truth, 0, 15), *all = draw(elsewhere, 300, 16);
    double w[FEATURES] = {0};
    Shrinkage chosen;
    const GammaBin unjudged = bin_of(own, none, all, elsewhere);
    assert_ok(gamma_shrinkage_fit(&unjudged, -1, &chosen, w, &error));
    ck_assert(chosen.borrow == 0.1 && chosen.ridge == 1e-4);
    const GammaBin empty = bin_of(none, own, all, elsewhere);
    assert_ok(gamma_shrinkage_fit(&empty, -1, &chosen, w, &error));
    ck_assert(chosen.borrow == 1);
    ck_assert_mem_eq(w, elsewhere, sizeof elsewhere);
    memory_free(own), memory_free(none), memory_free(all);
}
END_TEST

SUITE_MAIN("gamma_shrinkage", a_share_is_a_part_of_the_loss_of_all_bins,
           held_out_rows_choose_the_share, a_bin_with_an_infinite_loss_borrows,
           a_given_ridge_is_kept, weights_decide_what_is_chosen,
           without_rows_a_medium_share_or_all_is_borrowed)
