/*
 * Expressions give the same in both back ends: our own evaluator, and DuckDB with the SQL made from the checked tree
 *
 * Expressions and rows are generated with a fixed seed. Skipped, saying so, where scripts/install-duckdb was not run.
 */
#include "base/cleanup.h"
#include "gateway/tabulate/expression/expression.h"
#include "gateway/tabulate/expression/fixed.h"
#include "runtime/engine/duckdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { ROWS = 24, EXPRESSIONS = 1500, TEXT_SIZE = 64 };

static const struct gbx_scope_column columns[] = {
        { "a", { .kind = GBX_KIND_NUMBER } },
        { "b", { .kind = GBX_KIND_NUMBER, .scale = 2, .missing = true } },
        { "t", { .kind = GBX_KIND_TEXT, .missing = true } },
        { "u", { .kind = GBX_KIND_TEXT } },
        { "d", { .kind = GBX_KIND_DATE } },
        { "e", { .kind = GBX_KIND_DATE, .missing = true } },
        { "k", { .kind = GBX_KIND_BOOLEAN, .missing = true } },
};
enum { WIDTH = gbx_array_size(columns) };
static const struct gbx_scope scope = { columns, WIDTH };

static struct gbx_duckdb api;
static gbx_duckdb_handle database, connection;
static struct gbx_scalar rows[ROWS][WIDTH];
static uint64_t state = 88172645463325252U;

static unsigned pick(unsigned count) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (unsigned)(state >> 33) % count;
}

/* --- rows --------------------------------------------------------------------------- */

static struct gbx_scalar random_scalar(const struct gbx_kind_of *type) {
        static const int64_t numbers[] = { 0, 1, -1, 2, -2, 5, 10, -15, 30, 99, 12345, -99950, 1000000007, INT64_MAX, INT64_MIN, INT64_MAX / 3 };
        static const char *const texts[] = { "a", "B", "Ab", "abc", "Çity", "it's", "日本語", "10", "x y", "zz\"z" };
        static const int64_t days[] = { 0, -1, 6573, 19782, 19783, 20088, -25567, 11016, 11017, 18321, 59, 58, 60, 364, 365 };
        struct gbx_scalar value = { .missing = type->missing && pick(4) == 0 };

        if (value.missing)
                return value;
        switch (type->kind) {
        case GBX_KIND_NUMBER:
                value.number = pick(5) < 3 ? (int64_t)pick(400) - 200 : numbers[pick(gbx_array_size(numbers))];
                break;
        case GBX_KIND_TEXT:
                value.text = texts[pick(gbx_array_size(texts))];
                value.size = strlen(value.text);
                break;
        case GBX_KIND_DATE:
                value.number = pick(2) ? days[pick(gbx_array_size(days))] : (int64_t)pick(30000) - 5000;
                break;
        case GBX_KIND_BOOLEAN:
                value.number = pick(2);
                break;
        }
        return value;
}

static int query(const char *sql, struct gbx_duckdb_result *ret) { return api.query(connection, sql, ret) == GBX_DUCKDB_SUCCESS ? 0 : -1; }

static void execute(const char *sql) {
        struct gbx_duckdb_result result;

        if (query(sql, &result) < 0)
                fail_msg("%s: %s", sql, api.result_error(&result));
        api.destroy_result(&result);
}

static void append_value(struct gbx_buffer *sql, const struct gbx_kind_of *type, const struct gbx_scalar *value) {
        if (value->missing)
                (void)gbx_buffer_append_text(sql, ", NULL", NULL);
        else if (type->kind == GBX_KIND_DATE)
                (void)gbx_buffer_printf(sql, NULL, ", DATE '1970-01-01' + CAST(%lld AS INTEGER)", (long long)value->number);
        else if (type->kind == GBX_KIND_BOOLEAN)
                (void)gbx_buffer_append_text(sql, value->number ? ", true" : ", false", NULL);
        else if (type->kind == GBX_KIND_NUMBER)
                (void)gbx_buffer_printf(sql, NULL, ", CAST('%lld' AS BIGINT)", (long long)value->number);
        else {
                (void)gbx_buffer_append_text(sql, ", '", NULL);
                for (size_t i = 0; i < value->size; i++)
                        (void)gbx_buffer_printf(sql, NULL, value->text[i] == '\'' ? "''" : "%c", value->text[i]);
                (void)gbx_buffer_append_text(sql, "'", NULL);
        }
}

static void make_rows(void) {
        execute("CREATE OR REPLACE TABLE t (id BIGINT, c0 BIGINT, c1 BIGINT, c2 VARCHAR, c3 VARCHAR, c4 DATE, c5 DATE, c6 BOOLEAN)");
        for (size_t i = 0; i < ROWS; i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer sql = {};

                (void)gbx_buffer_printf(&sql, NULL, "INSERT INTO t VALUES (%zu", i);
                for (size_t k = 0; k < WIDTH; k++) {
                        rows[i][k] = random_scalar(&columns[k].type);
                        append_value(&sql, &columns[k].type, &rows[i][k]);
                }
                (void)gbx_buffer_append_text(&sql, ")", NULL);
                execute(gbx_buffer_text(&sql));
        }
}

/* --- expressions: text by the grammar, kind by kind ---------------------------------- */

static void make(struct gbx_buffer *out, enum gbx_kind kind, unsigned depth);

/* A template: N T D K stand for parts of a kind, # for a small number, ~ for one above zero. */
static void fill(struct gbx_buffer *out, const char *template, unsigned depth) {
        for (; *template; template++)
                switch (*template) {
                case 'N':
                        make(out, GBX_KIND_NUMBER, depth - 1);
                        break;
                case 'T':
                        make(out, GBX_KIND_TEXT, depth - 1);
                        break;
                case 'D':
                        make(out, GBX_KIND_DATE, depth - 1);
                        break;
                case 'K':
                        make(out, GBX_KIND_BOOLEAN, depth - 1);
                        break;
                case '#':
                        (void)gbx_buffer_printf(out, NULL, pick(2) ? "%d" : "%d.5", (int)pick(60) - 30);
                        break;
                case '~':
                        (void)gbx_buffer_printf(out, NULL, "%u", 1 + pick(3));
                        break;
                default:
                        (void)gbx_buffer_append_byte(out, (uint8_t)*template, NULL);
                }
}

static void make(struct gbx_buffer *out, enum gbx_kind kind, unsigned depth) {
        static const char *const leaves[][5] = {
                { "a", "b", "#", "9000000000.25", "0.125" }, { "t", "u", "'Ab'", "t", "'it''s'" },
                { "d", "e", "date '2024-02-29'", "e", "date '1969-12-31'" }, { "k", "true", "k", "false", "k" } };
        static const char *const numbers[] = {
                "(N + N)", "(N - N)", "(N * N)", "round(N, 2) / round(N, 1)", "(N / a)", "(N % N)", "(-N)", "if(K, N, N)", "case when K then N when K then N end",
                "coalesce(N, N)", "abs(N)", "floor(N)", "ceiling(N)", "round(N)", "round(N, ~)", "least(N, N, N)", "greatest(N, N)", "length(T)", "year(D)",
                "month(D)", "day(D)", "quarter(D)", "weekday(D)", "days_between(D, D)", "months_between(D, D)", "years_between(D, D)", "indicator(K)",
                "width(N, ~)", "width(N, ~.25, #)" };
        static const char *const texts[] = { "lower(T)", "upper(T)", "concat(T, '-', T)", "substr(T, ~)", "substr(T, ~, ~)", "if(K, T, T)", "coalesce(T, T)",
                                             "cut(N, -10, 0.5, 20)", "cut(N, 5)", "case when K then T end" };
        static const char *const dates[] = { "if(K, D, D)", "coalesce(D, D)", "least(D, D)", "greatest(D, D)", "case when K then D else D end" };
        static const char *const booleans[] = { "(N = N)", "(N < N)", "(N >= N)", "(N <> N)", "(T = T)", "(T < T)", "(D <= D)", "(D != D)", "(K and K)", "(K or K)",
                                                "(not K)", "(N in (#, #, 7))", "(T in ('Ab', 'abc', '10'))", "(T not in ('a'))", "(N between N and N)", "(D not between D and D)",
                                                "(T between T and T)", "(N is missing)", "(T is not missing)", "(K is missing)", "starts_with(T, T)", "(K = K)", "coalesce(K, false)" };
        static const struct {
                const char *const *items;
                size_t count;
        } inner[] = { { numbers, gbx_array_size(numbers) }, { texts, gbx_array_size(texts) }, { dates, gbx_array_size(dates) }, { booleans, gbx_array_size(booleans) } };

        if (depth == 0 || pick(6) == 0)
                fill(out, leaves[kind][pick(5)], 1);
        else
                fill(out, inner[kind].items[pick((unsigned)inner[kind].count)], depth);
}

/* --- comparison ----------------------------------------------------------------------- */

static void own_text(const struct gbx_kind_of *type, const struct gbx_scalar *value, char ret[static TEXT_SIZE * 4]) {
        if (value->missing)
                (void)snprintf(ret, TEXT_SIZE * 4, "missing");
        else if (type->kind == GBX_KIND_TEXT)
                (void)snprintf(ret, TEXT_SIZE * 4, "%.*s", (int)value->size, value->text);
        else
                (void)snprintf(ret, TEXT_SIZE * 4, "%lld", (long long)value->number);
}

/* What DuckDB says of one row: false if it reports an overflow. Anything else than that fails the test. */
static bool duckdb_text(const struct gbx_expression *expression, const char *sql, size_t row, char ret[static TEXT_SIZE * 4]) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer whole = {};
        const char *cast = expression->type.kind == GBX_KIND_TEXT ? "%s" : expression->type.kind == GBX_KIND_DATE ? "CAST(%s - DATE '1970-01-01' AS VARCHAR)" : "CAST(CAST(%s AS BIGINT) AS VARCHAR)";
        struct gbx_duckdb_result result;
        gbx_auto(gbx_free_pointer) char *value = NULL;
        const struct gbx_duckdb_string *text;
        gbx_duckdb_handle chunk, vector;
        const uint64_t *valid;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        assert_true(asprintf(&value, cast, sql) > 0);
#pragma GCC diagnostic pop
        (void)gbx_buffer_printf(&whole, NULL, "SELECT %s FROM t WHERE id = %zu", value, row);
        if (query(gbx_buffer_text(&whole), &result) < 0) {
                const char *message = api.result_error(&result);
                bool overflow = strstr(message, "verflow") || strstr(message, "out of range") || strstr(message, "can't be cast because the value");

                if (!overflow)
                        fail_msg("%s\n%s", message, gbx_buffer_text(&whole));
                api.destroy_result(&result);
                return false;
        }
        chunk = api.fetch_chunk(result);
        assert_non_null(chunk);
        vector = api.data_chunk_get_vector(chunk, 0);
        valid = api.vector_get_validity(vector);
        text = api.vector_get_data(vector);
        if (valid && !(valid[0] & 1))
                (void)snprintf(ret, TEXT_SIZE * 4, "missing");
        else
                (void)snprintf(ret, TEXT_SIZE * 4, "%.*s", (int)text->size, text->size <= sizeof text->inlined ? text->inlined : text->data);
        api.destroy_data_chunk(&chunk);
        api.destroy_result(&result);
        return true;
}

static void test_both_back_ends(void **unused) {
        gbx_auto(gbx_scratch_free) struct gbx_scratch scratch = {};
        size_t compared = 0, overflows = 0, only_there = 0, only_here = 0, refused = 0, missing = 0;

        (void)unused;
        if (!api.library)
                skip();
        make_rows();
        for (size_t i = 0; i < EXPRESSIONS; i++) {
                gbx_auto(gbx_expression_freep) struct gbx_expression *expression = NULL;
                gbx_auto(gbx_buffer_free) struct gbx_buffer text = {}, sql = {};
                struct gbx_error err = {};

                make(&text, (enum gbx_kind)pick(4), 1 + pick(5));
                if (gbx_expression_parse(&expression, gbx_buffer_text(&text), &scope, NULL, &err) < 0) {
                        refused++; /* too many decimals, say */
                        continue;
                }
                assert_int_equal(gbx_expression_sql(expression, &sql, &err), 0);
                for (size_t k = 0; k < 4; k++) {
                        char own[TEXT_SIZE * 4], other[TEXT_SIZE * 4];
                        size_t row = pick(ROWS);
                        struct gbx_scalar value;
                        bool there = duckdb_text(expression, gbx_buffer_text(&sql), row, other);
                        int r;

                        gbx_scratch_clear(&scratch);
                        r = gbx_expression_evaluate(expression, rows[row], &scratch, &value, &err);
                        if (r < 0 || !there) {
                                assert_true(r >= 0 || r == -ERANGE);
                                overflows++;
                                only_there += r >= 0;
                                only_here += there;
                                continue;
                        }
                        own_text(&expression->type, &value, own);
                        if (strcmp(own, other) != 0)
                                fail_msg("row %zu, %s: %s, but DuckDB says %s\n%s", row, gbx_buffer_text(&text), own, other, gbx_buffer_text(&sql));
                        compared++;
                        missing += value.missing;
                }
        }
        print_message("# %zu values equal (%zu of them missing), %zu overflows (%zu in DuckDB alone, %zu in ours alone), %zu expressions refused\n", compared,
                      missing, overflows, only_there, only_here, refused);
        /* Which parts that do not matter are looked at differs: DuckDB's optimizer sees that x between 1 and 0 is false. */
        assert_true(compared > 3 * (size_t)EXPRESSIONS && overflows > 10 && only_there + only_here < compared / 100);
}

static int open_duckdb(void **unused) {
        gbx_duckdb_handle config = NULL;
        struct gbx_error err = {};
        char *problem = NULL;

        (void)unused;
        (void)setenv("TZ", "UTC", 1);
        if (gbx_duckdb_load(&api, "vendor/duckdb/libduckdb.so", &err) < 0) {
                print_message("# the comparison with DuckDB is skipped: %s\n", err.message);
                return 0;
        }
        if (api.create_config(&config) != GBX_DUCKDB_SUCCESS || api.set_config(config, "threads", "1") != GBX_DUCKDB_SUCCESS ||
            api.open_ext(":memory:", &database, config, &problem) != GBX_DUCKDB_SUCCESS ||
            api.connect(database, &connection) != GBX_DUCKDB_SUCCESS)
                return -1;
        api.destroy_config(&config);
        return 0;
}

static int close_duckdb(void **unused) {
        (void)unused;
        if (api.library) {
                api.disconnect(&connection);
                api.close(&database);
        }
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_both_back_ends) };

        return cmocka_run_group_tests(tests, open_duckdb, close_duckdb);
}
