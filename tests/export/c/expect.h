/* What the tests of exported C count: answers that are not those expected. */
#include <stdio.h>

static int wrong;

#define EXPECT(status, call)                                               \
    do {                                                                   \
        const etn_status got = (call);                                     \
        if (got != (status)) {                                             \
            fprintf(stderr, "%s: %d, not " #status "\n", #call, (int)got); \
            wrong++;                                                       \
        }                                                                  \
    } while (0)
