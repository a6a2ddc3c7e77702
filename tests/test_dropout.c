/* Tests of dropout masks: the share of dropped elements, their independence, and the exact
 * definition of the bits. */
#include "base/memory.h"
#include "layers/dropout.h"
#include "tests/expect.h"
#include "tests/masks.h"
#include "tests/suite.h"

#include <stdbool.h>

enum { MASK = 1 << 17 };

static float *mask_new(DropoutMask mask, size_t count)
{
    uint8_t *bits = memory_small(dropout_bytes(count), 1);
    float *factors = memory_small(count, sizeof *factors);
    dropout_bits(mask, bits, count);
    for (size_t i = 0; i < count; i++)
        factors[i] = bits[i / 8] >> i % 8 & 1 ? mask.scale : 0.0f;
    memory_free(bits);
    return factors;
}

START_TEST(masks_drop_what_they_should)
{
    const double probabilities[] = {0.01, 0.1, 0.5, 0.9};
    for (int k = 0; k < 4; k++) {
        const double p = probabilities[k];
        float *mask = mask_new(dropout_mask(1, 2, 3, 4, p), MASK);
        ck_assert_double_eq_tol(fraction_zero(mask, MASK), p, five_sigma(p, MASK));
        double mean = 0;
        float least = INFINITY, scale = 0;
        for (size_t i = 0; i < MASK; i++) {
            mean += mask[i] / (double)MASK;
            scale = (float)larger(scale, mask[i]);
            least = mask[i] != 0.0f ? (float)smaller(least, mask[i]) : least;
        }
        ck_assert(least == scale);
        /* The probability is rounded to 16 bits, and the scale is the inverse of what is kept. */
        ck_assert_double_eq_tol(1 - 1 / (double)scale, p, 0x1p-17 + 1e-7);
        ck_assert_double_eq_tol(mean, 1.0, five_sigma(p, MASK) * scale);
        memory_free(mask);
    }
}
END_TEST

START_TEST(probabilities_0_and_1_are_exact)
{
    const size_t count = 1 << 20; /* 16 times the resolution of the probability */
    float *none = mask_new(dropout_mask(1, 2, 3, 4, 0.0), count);
    float *all = mask_new(dropout_mask(1, 2, 3, 4, 1.0), count);
    bool ones = true, zeros = true;
    for (size_t i = 0; i < count; i++) {
        ones &= none[i] == 1.0f;
        zeros &= all[i] == 0.0f;
    }
    ck_assert(ones);
    ck_assert(zeros);
    memory_free(none);
    memory_free(all);
}
END_TEST

START_TEST(masks_of_other_keys_are_independent)
{
    float *mask = mask_new(dropout_mask(1, 2, 3, 4, 0.5), MASK);
    const struct {
        const char *what;
        DropoutMask mask;
    } others[] = {
        {"seed", dropout_mask(2, 2, 3, 4, 0.5)},
        {"layer", dropout_mask(1, 3, 3, 4, 0.5)},
        {"step", dropout_mask(1, 2, 4, 4, 0.5)},
        {"image", dropout_mask(1, 2, 3, 5, 0.5)},
    };
    for (int k = 0; k < 4; k++) {
        float *other = mask_new(others[k].mask, MASK);
        check_independent(mask, other, MASK, others[k].what);
        memory_free(other);
    }
    for (size_t shift = 1; shift <= 16; shift++)
        check_independent(mask, mask + shift, MASK - shift, "an element from those before it");
    memory_free(mask);
}
END_TEST

/* The definition, one element at a time: 16 bits of its own, of a block that eight share. */
static bool is_kept(DropoutMask mask, size_t element)
{
    uint32_t words[4];
    random_block(mask.key, (uint32_t)(element / 8), words);
    uint32_t word = words[element % 8 / 2];
    return (element % 2 ? word >> 16 : word & 0xffff) >= mask.dropped;
}

enum { GUARD = 0xa5 };

/* The bits of the first `count` elements, of every count, and nothing written behind them. */
START_TEST(bits_are_as_defined)
{
    enum { MOST = 1100 };
    const double probabilities[] = {0.0, 0.1, 0.5, 0x1p-16, 1 - 0x1p-16, 1.0};
    for (size_t k = 0; k < sizeof probabilities / sizeof *probabilities; k++) {
        const DropoutMask mask = dropout_mask(11, 12, 13, (uint32_t)k, probabilities[k]);
        bool expected[MOST];
        for (size_t i = 0; i < MOST; i++)
            expected[i] = is_kept(mask, i);
        uint8_t *bits = memory_small(dropout_bytes(MOST) + 1, 1);
        for (size_t count = 0; count <= MOST; count += count < 40 ? 1 : 53) {
            const size_t bytes = dropout_bytes(count);
            memset(bits, 0, bytes);
            bits[bytes] = GUARD;
            dropout_bits(mask, bits, count);
            for (size_t i = 0; i < count; i++)
                ck_assert_int_eq(bits[i / 8] >> i % 8 & 1, expected[i]);
            ck_assert_uint_eq(bits[bytes], GUARD);
        }
        memory_free(bits);
    }
}
END_TEST

/* The halves of a word are compared with the probability in 16 bits: one that was not dropped by the
 * next smaller probability is, by the one that its bits are below. */
START_TEST(the_threshold_is_exact)
{
    const DropoutMask any = dropout_mask(21, 22, 23, 24, 0.5);
    for (size_t element = 0; element < 64; element++) {
        uint32_t words[4];
        uint8_t bits[64];
        ck_assert_uint_eq(dropout_bytes(64), sizeof bits);
        random_block(any.key, (uint32_t)(element / 8), words);
        const double value = words[element % 8 / 2] >> (element % 2 ? 16 : 0) & 0xffff;
        dropout_bits(dropout_mask(21, 22, 23, 24, value / 65536), bits, 64);
        ck_assert_int_eq(bits[element / 8] >> element % 8 & 1, 1);
        dropout_bits(dropout_mask(21, 22, 23, 24, (value + 1) / 65536), bits, 64);
        ck_assert_int_eq(bits[element / 8] >> element % 8 & 1, 0);
    }
}
END_TEST

/* The last element's vector reads within what dropout_bytes promises, at any count. */
START_TEST(bytes_hold_what_is_read)
{
    for (size_t count = 1; count < 3000; count++) {
        ck_assert_uint_ge(dropout_bytes(count), (count - 1) / 8 + 3);
        ck_assert_uint_eq(dropout_bytes(count) % 64, 0);
    }
}
END_TEST

SUITE_MAIN("dropout", masks_drop_what_they_should, probabilities_0_and_1_are_exact,
           masks_of_other_keys_are_independent, bits_are_as_defined, the_threshold_is_exact,
           bytes_hold_what_is_read)
