/* Vectors of 128 bits: what the kernels need of them, on x86 (SSE4.1) and WebAssembly (SIMD128). */
#ifndef ETN_SIMD_H
#define ETN_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE4_1__)

#include <smmintrin.h>

typedef __m128i etn_vector;

/* Eight int16; eight int8, widened to int16. */
static inline etn_vector etn_load16(const int16_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

static inline etn_vector etn_load8(const int8_t *from)
{
    return _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)from));
}

static inline etn_vector etn_all32(int32_t value)
{
    return _mm_set1_epi32(value);
}

/* int32: sums of the products of neighbouring int16; sums. */
static inline etn_vector etn_dot(etn_vector a, etn_vector b)
{
    return _mm_madd_epi16(a, b);
}

static inline etn_vector etn_add(etn_vector a, etn_vector b)
{
    return _mm_add_epi32(a, b);
}

/* int32: the sums of the four lanes of each of four vectors. */
static inline etn_vector etn_sums(etn_vector a, etn_vector b, etn_vector c, etn_vector d)
{
    return _mm_hadd_epi32(_mm_hadd_epi32(a, b), _mm_hadd_epi32(c, d));
}

/* The lower four int16 of both, side by side. */
static inline etn_vector etn_pairs(etn_vector a, etn_vector b)
{
    return _mm_unpacklo_epi16(a, b);
}

static inline etn_vector etn_shift_left(etn_vector a, int32_t by)
{
    return _mm_sll_epi32(a, _mm_cvtsi32_si128(by));
}

static inline etn_vector etn_shift_right_10(etn_vector a)
{
    return _mm_srai_epi32(a, 10);
}

/* int32: the upper halves of the products of 64 bits. */
static inline etn_vector etn_upper_product(etn_vector a, etn_vector b)
{
    const __m128i even = _mm_srli_epi64(_mm_mul_epi32(a, b), 32), odd = _mm_mul_epi32(_mm_srli_epi64(a, 32), b);
    return _mm_blend_epi16(even, odd, 0xcc);
}

static inline etn_vector etn_product(etn_vector a, etn_vector b)
{
    return _mm_mullo_epi32(a, b);
}

static inline etn_vector etn_larger(etn_vector a, etn_vector b)
{
    return _mm_max_epi32(a, b);
}

static inline etn_vector etn_smaller(etn_vector a, etn_vector b)
{
    return _mm_min_epi32(a, b);
}

/* Four int16 as int32. */
static inline etn_vector etn_widen(etn_vector a)
{
    return _mm_cvtepi16_epi32(a);
}

static inline void etn_store32(int32_t *to, etn_vector a)
{
    _mm_storeu_si128((__m128i *)(void *)to, a);
}

/* Four int32 in the range of int16, or of int8, as these. */
static inline void etn_store16(int16_t *to, etn_vector a)
{
    _mm_storel_epi64((__m128i *)(void *)to, _mm_packs_epi32(a, a));
}

static inline void etn_store8(int8_t *to, etn_vector a)
{
    const __m128i halves = _mm_packs_epi32(a, a);
    const int32_t bytes = _mm_cvtsi128_si32(_mm_packs_epi16(halves, halves));
    memcpy(to, &bytes, 4);
}

#elif defined(__wasm_simd128__)

#include <wasm_simd128.h>

typedef v128_t etn_vector;

static inline etn_vector etn_load16(const int16_t *from)
{
    return wasm_v128_load(from);
}

static inline etn_vector etn_load8(const int8_t *from)
{
    return wasm_i16x8_load8x8(from);
}

static inline etn_vector etn_all32(int32_t value)
{
    return wasm_i32x4_splat(value);
}

static inline etn_vector etn_dot(etn_vector a, etn_vector b)
{
    return wasm_i32x4_dot_i16x8(a, b);
}

static inline etn_vector etn_add(etn_vector a, etn_vector b)
{
    return wasm_i32x4_add(a, b);
}

static inline etn_vector etn_sums(etn_vector a, etn_vector b, etn_vector c, etn_vector d)
{
    const v128_t ab = etn_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
    const v128_t cd = etn_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
    return etn_add(wasm_i32x4_shuffle(ab, cd, 0, 1, 4, 5), wasm_i32x4_shuffle(ab, cd, 2, 3, 6, 7));
}

static inline etn_vector etn_pairs(etn_vector a, etn_vector b)
{
    return wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

static inline etn_vector etn_shift_left(etn_vector a, int32_t by)
{
    return wasm_i32x4_shl(a, (uint32_t)by);
}

static inline etn_vector etn_shift_right_10(etn_vector a)
{
    return wasm_i32x4_shr(a, 10);
}

static inline etn_vector etn_upper_product(etn_vector a, etn_vector b)
{
    const v128_t low = wasm_i64x2_extmul_low_i32x4(a, b), high = wasm_i64x2_extmul_high_i32x4(a, b);
    return wasm_i32x4_shuffle(low, high, 1, 3, 5, 7);
}

static inline etn_vector etn_product(etn_vector a, etn_vector b)
{
    return wasm_i32x4_mul(a, b);
}

static inline etn_vector etn_larger(etn_vector a, etn_vector b)
{
    return wasm_i32x4_max(a, b);
}

static inline etn_vector etn_smaller(etn_vector a, etn_vector b)
{
    return wasm_i32x4_min(a, b);
}

static inline etn_vector etn_widen(etn_vector a)
{
    return wasm_i32x4_extend_low_i16x8(a);
}

static inline void etn_store32(int32_t *to, etn_vector a)
{
    wasm_v128_store(to, a);
}

static inline void etn_store16(int16_t *to, etn_vector a)
{
    wasm_v128_store64_lane(to, wasm_i16x8_narrow_i32x4(a, a), 0);
}

static inline void etn_store8(int8_t *to, etn_vector a)
{
    const v128_t halves = wasm_i16x8_narrow_i32x4(a, a);
    wasm_v128_store32_lane(to, wasm_i8x16_narrow_i16x8(halves, halves), 0);
}

#else
#error "these kernels need SSE4.1 (-msse4.1) or WebAssembly's SIMD128 (-msimd128); export with --kernels portable"
#endif

#endif
