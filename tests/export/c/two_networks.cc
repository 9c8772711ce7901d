// Two networks in one C++ program: rows of one image pushed into both in turn; prints the logits of both.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "one.h"
#include "two.h"

static_assert(ONE_ROWS == TWO_ROWS && ONE_COLUMNS == TWO_COLUMNS && ONE_CHANNELS == TWO_CHANNELS,
              "one image for both");

int main()
{
    std::vector<int8_t> row(ONE_COLUMNS * ONE_CHANNELS);
    std::vector<uint64_t> first(one_arena_bytes(ETN_PUSHED) / 8), second(two_arena_bytes(ETN_PUSHED) / 8);
    std::vector<int32_t> a(ONE_CLASSES), b(TWO_CLASSES);
    bool good = one_init(first.data(), first.size() * 8, ETN_PUSHED) == ETN_OK
                && two_init(second.data(), second.size() * 8, ETN_PUSHED) == ETN_OK;
    for (int y = 0; y < ONE_ROWS; y++)
        good = good && std::fread(row.data(), 1, row.size(), stdin) == row.size()
               && one_push_row(first.data(), row.data()) == ETN_OK
               && two_push_row(second.data(), row.data()) == ETN_OK;
    good = good && one_run(first.data(), a.data()) == ETN_OK && two_run(second.data(), b.data()) == ETN_OK;
    // An arena belongs to its network.
    good = good && one_run(second.data(), a.data()) == ETN_NOT_INITIALISED;
    for (int32_t logit : a)
        std::printf("%ld\n", static_cast<long>(logit));
    for (int32_t logit : b)
        std::printf("%ld\n", static_cast<long>(logit));
    return good ? 0 : 1;
}
