/* Golden terms of covariances in fixed bases of blocks of pixels (tests/golden/README.md,
 * /bound_block/given), by an independent implementation in float64.
 */
#include "tests/suite.h"

#include "base/memory.h"
#include "diffusion/likelihood.h"
#include "tests/golden.h"
#include "variance/block_covariance.h"

#include <math.h>

/* A fixed basis W of blocks (tests/golden/README.md): Cov = W' diag(v) W in each block. */
typedef struct Basis {
    const char *name;
    int size;
    bool colour;
} Basis;

/* Element (coefficient k, element j) of W within a block; both are numbered as in BlockShape. */
static double basis_at(const Basis *b, int channels, int k, int j)
{
    static const double colours[3][3] = {{1, 1, 1}, {1, -1, 0}, {1, 1, -2}};
    static const double norms[3] = {3, 2, 6};
    const int size = b->size;
    const int kc = k % channels, kp = k / channels, jc = j % channels, jp = j / channels;
    double value = b->colour ? colours[kc][jc] / sqrt(norms[kc]) : kc == jc;
    const int frequency[2] = {kp / size, kp % size}, place[2] = {jp / size, jp % size};
    for (int axis = 0; axis < 2; axis++)
        value *= sqrt((frequency[axis] ? 2.0 : 1.0) / size) *
                 cos(M_PI * (2 * place[axis] + 1) * frequency[axis] / (2 * size));
    return value;
}

/* D and R of the covariance W' diag(v) W of one block; v [n]. */
static void covariance_of_basis(const Basis *b, int channels, const double *v, float *diagonal,
                                float *correlation)
{
    const int n = b->size * b->size * channels;
    double cov[48 * 48];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            cov[i * n + j] = 0;
            for (int k = 0; k < n; k++)
                cov[i * n + j] += v[k] * basis_at(b, channels, k, i) * basis_at(b, channels, k, j);
        }
    for (int i = 0; i < n; i++) {
        diagonal[i] = (float)cov[i * n + i];
        for (int j = 0; j < n; j++)
            correlation[i * n + j] =
                (float)(cov[i * n + j] / sqrt(cov[i * n + i] * cov[j * n + j]));
    }
}

/* The KL of one image, block by block: every block has a covariance of its own. v, x_0 and x0_hat
 * are [C, H, W]. */
static double golden_kl(const Basis *b, int channels, int side, double kappa, const double *v,
                        const double *x_0, const double *x0_hat)
{
    const BlockShape shape = {.side = b->size, .channels = channels, .size = b->size};
    const int n = block_rows(&shape);
    double kl = 0;
    for (int top = 0; top < side; top += b->size)
        for (int left = 0; left < side; left += b->size) {
            double own[48], off[48], square[48];
            float diagonal[48], correlation[48 * 48], value[48];
            for (int i = 0; i < n; i++) {
                const int pixel = i / channels, c = i % channels;
                const int at = (c * side + top + pixel / b->size) * side + left + pixel % b->size;
                own[i] = v[at];
                off[i] = x_0[at] - x0_hat[at];
            }
            covariance_of_basis(b, channels, own, diagonal, correlation);
            block_covariance_rotate(&shape, correlation, diagonal, off, value, square);
            kl += likelihood_step(kappa, square, value, INFINITY, (size_t)n);
        }
    return kl;
}

static void check_basis(const char *file, const char *checkpoint, const Basis *b)
{
    int64_t shape[GOLDEN_MAX_RANK];
    int rank;
    char path[96];
    Schedule schedule;
    Error error = {0};
    snprintf(path, sizeof path, "bound_block/given/%s/v", b->name);
    double *v = golden_doubles(file, path, &rank, shape);
    const int steps = (int)shape[0], channels = (int)shape[2], side = (int)shape[3];
    const size_t dims = (size_t)(channels * side * side);
    snprintf(path, sizeof path, "bound_block/given/%s/kl_bits_per_dim", b->name);
    double *want = golden_doubles(file, path, NULL, NULL);
    double *pixels = golden_doubles(file, "bound_block/x0", NULL, NULL);
    double *x0_hat = golden_doubles(file, "bound_block/x0_hat", NULL, NULL);
    int64_t *t = golden_ints(file, "bound_block/eps_t", NULL, NULL);
    int64_t *s = golden_ints(file, "bound_block/eps_s", NULL, NULL);
    const bool linear = strstr(checkpoint, "golden_a") != NULL;
    must(schedule_make(&schedule, linear ? SCHEDULE_LINEAR : SCHEDULE_COSINE, linear ? 1000 : 200,
                       &error),
         &error);
    double *x_0 = memory_small(dims, sizeof *x_0);
    for (int k = 0; k < steps; k++)
        for (int image = 0; image < 2; image++) {
            const size_t at = (size_t)(2 * k + image) * dims;
            for (size_t i = 0; i < dims; i++) /* pictures are [H, W, C] */
                x_0[i % (size_t)channels * (dims / (size_t)channels) + i / (size_t)channels] =
                    2 * pixels[(size_t)image * dims + i] / 255 - 1;
            const double got =
                golden_kl(b, channels, side, likelihood_kappa(&schedule, (int)s[k], (int)t[k]),
                          v + at, x_0, x0_hat + at) /
                ((double)dims * log(2));
            ck_assert_msg(fabs(got - want[2 * k + image]) <= 1e-4 * fabs(want[2 * k + image]),
                          "%s %s %lld -> %lld: %.9g, expected %.9g", file, b->name, (long long)t[k],
                          (long long)s[k], got, want[2 * k + image]);
        }
    free(v), free(want), free(pixels), free(x0_hat), free(t), free(s);
    memory_free(x_0);
    schedule_free(&schedule);
}

START_TEST(terms_of_fixed_bases_are_golden)
{
    static const char file_a[] = "tests/golden/golden_a_variances.h5";
    static const char file_b[] = "tests/golden/golden_b_variances.h5";
    static const Basis dct2 = {"dct2", 2, false}, dct4 = {"dct4", 4, false};
    static const Basis dct4_colour = {"dct4_colour", 4, true};
    check_basis(file_a, "golden_a", &dct2);
    check_basis(file_a, "golden_a", &dct4_colour);
    check_basis(file_b, "golden_b", &dct2);
    check_basis(file_b, "golden_b", &dct4);
}
END_TEST

SUITE_MAIN("golden_blocks", terms_of_fixed_bases_are_golden)
