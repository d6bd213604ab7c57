/*
 * A large CSV table of sales for benchmarks, the same for the same arguments
 *
 *   csv-make ROWS [SEED]           the table, to standard output
 *   csv-make --schema              its schema, as the engine reads it
 *
 * Eight columns; one row in 64 has a quoted remark with commas, quotes and a
 * line break, one in 32 has no quantity.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 1 << 20, ROW_MAX = 256 };

static uint64_t state;

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next(void) {
        uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

static int row(char *place, uint64_t number) {
        uint64_t a = next(), b = next(), cents = a >> 40;
        unsigned quantity = (unsigned)(b % 20) + 1;
        static const char *const remarks[] = { "delivered as ordered", "ordered twice by the same customer" };
        char text[12] = "";

        if (b >> 59)
                (void)snprintf(text, sizeof text, "%u", quantity);
        return snprintf(place, ROW_MAX,
                        "%" PRIu64 ",R%03u,U%08u,20%02u-%02u-%02u,%s,%" PRIu64 ".%02u,%" PRIu64 ".%02u,%s\n", number,
                        (unsigned)(a % 1000), (unsigned)(a >> 10) % 100000000, (unsigned)(b >> 8) % 25,
                        (unsigned)(b >> 16) % 12 + 1, (unsigned)(b >> 24) % 28 + 1, text, cents / 100,
                        (unsigned)(cents % 100), cents * quantity / 100, (unsigned)(cents * quantity % 100),
                        b >> 32 & 63 ? remarks[b >> 40 & 1]
                                     : "\"late, \"\"as usual\"\",\nand wet\"");
}

int main(int argc, char **argv) {
        static char buffer[BUFFER];
        size_t used = 0;
        uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;

        if (argc > 1 && strcmp(argv[1], "--schema") == 0) {
                (void)puts("{\"columns\":[{\"name\":\"id\",\"type\":\"integer\"},{\"name\":\"region\",\"type\":\"text\"},"
                           "{\"name\":\"user\",\"type\":\"text\"},{\"name\":\"day\",\"type\":\"date\"},"
                           "{\"name\":\"quantity\",\"type\":\"integer\"},{\"name\":\"price\",\"type\":\"decimal\"},"
                           "{\"name\":\"amount\",\"type\":\"decimal\"},{\"name\":\"remark\",\"type\":\"text\"}]}");
                return 0;
        }
        if (rows == 0) {
                (void)fputs("usage: csv-make ROWS [SEED] | --schema\n", stderr);
                return 2;
        }
        state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        (void)printf("id,region,user,day,quantity,price,amount,remark\n");
        for (uint64_t i = 1; i <= rows; i++) {
                used += (size_t)row(buffer + used, i);
                if (used > BUFFER - ROW_MAX) {
                        (void)fwrite(buffer, 1, used, stdout);
                        used = 0;
                }
        }
        (void)fwrite(buffer, 1, used, stdout);
        return fflush(stdout) == 0 ? 0 : 1;
}
