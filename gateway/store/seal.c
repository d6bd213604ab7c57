#include "gateway/store/seal.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "gateway/store/view.h"

#include <openssl/crypto.h>
#include <stdbool.h>
#include <string.h>

enum { STRETCH_BITS = 8, STRETCH = 1 << STRETCH_BITS };

static void finalize(sqlite3_stmt **statement) {
        (void)sqlite3_finalize(*statement);
}

static void free_sql(char **sql) {
        sqlite3_free(*sql);
}

static int broken(struct gbx_error *err, const char *table) {
        return gbx_fail(err, -EBADMSG, "the view (view.db) was changed outside of gbx%s%s: it is not what the log says; run: gbx audit rebuild",
                        table ? ", in the table " : "", table ? table : "");
}

static int ask(sqlite3 *view, sqlite3_stmt **ret, struct gbx_error *err, const char *sql) {
        return sqlite3_prepare_v2(view, sql, -1, ret, NULL) == SQLITE_OK ? 0 : gbx_view_error(view, err, "be asked");
}

/* --- what SQL calls ------------------------------------------------------------ */

/* Type and bytes of a value, so that no two rows read alike. */
static int append_value(struct gbx_buffer *text, sqlite3_value *value) {
        const void *bytes = sqlite3_value_blob(value);
        uint8_t type = (uint8_t)sqlite3_value_type(value);
        uint32_t size = (uint32_t)sqlite3_value_bytes(value);
        int r = gbx_buffer_append(text, &type, sizeof type, NULL);

        if (r >= 0)
                r = gbx_buffer_append(text, &size, sizeof size, NULL);
        return r < 0 || size == 0 ? r : gbx_buffer_append(text, bytes, size, NULL);
}

/* gbx_row_code(TABLE, COLUMN…) */
static void row_code(sqlite3_context *context, int count, sqlite3_value **values) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        uint8_t code[GBX_SHA256_SIZE];

        for (int i = 0; i < count; i++)
                if (append_value(&text, values[i]) < 0) {
                        sqlite3_result_error_nomem(context);
                        return;
                }
        if (gbx_hmac_sha256(sqlite3_user_data(context), GBX_SEAL_KEY_SIZE, text.data, text.size, code, NULL) < 0) {
                sqlite3_result_error(context, "cannot compute a row's code", -1);
                return;
        }
        sqlite3_result_blob(context, code, sizeof code, SQLITE_TRANSIENT);
}

static void combine(uint8_t sum[static GBX_SHA256_SIZE], const uint8_t *code) {
        for (size_t i = 0; i < GBX_SHA256_SIZE; i++)
                sum[i] ^= code[i];
}

/* gbx_combine(SUM, CODE) */
static void combine_codes(sqlite3_context *context, int count, sqlite3_value **values) {
        uint8_t sum[GBX_SHA256_SIZE] = {};

        for (int i = 0; i < count; i++) {
                if (sqlite3_value_bytes(values[i]) != GBX_SHA256_SIZE) {
                        sqlite3_result_error(context, "a sum of the seal is malformed", -1);
                        return;
                }
                combine(sum, sqlite3_value_blob(values[i]));
        }
        sqlite3_result_blob(context, sum, sizeof sum, SQLITE_TRANSIENT);
}

int gbx_seal_open(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], struct gbx_error *err) {
        void *data = (void *)(uintptr_t)key;

        if (sqlite3_create_function(view, "gbx_row_code", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, data, row_code, NULL, NULL) != SQLITE_OK ||
            sqlite3_create_function(view, "gbx_combine", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, combine_codes, NULL, NULL) != SQLITE_OK)
                return gbx_view_error(view, err, "take the seal's functions");
        return 0;
}

/* --- keeping the sums ------------------------------------------------------------ */

/* "'run',NEW.id,NEW.algorithm,…" of a table's columns, and the SQL of the stretch that a row belongs to. */
static int row_terms(sqlite3 *view, const char *table, const char *prefix, struct gbx_buffer *columns, struct gbx_buffer *stretch,
                     struct gbx_error *err) {
        gbx_auto(finalize) sqlite3_stmt *statement = NULL;
        gbx_auto(free_sql) char *sql = sqlite3_mprintf("PRAGMA table_info(%Q)", table);
        bool numbered = false;
        int r = sql ? ask(view, &statement, err, sql) : gbx_fail_memory(err);

        if (r >= 0)
                r = gbx_buffer_printf(columns, err, "'%s'", table);
        while (r >= 0 && sqlite3_step(statement) == SQLITE_ROW) {
                const char *name = (const char *)sqlite3_column_text(statement, 1);

                numbered = numbered || strcmp(name, "seq") == 0;
                r = gbx_buffer_printf(columns, err, ",%s%s", prefix, name);
        }
        if (r >= 0 && numbered)
                r = gbx_buffer_printf(stretch, err, "(%sseq>>%d)", prefix, STRETCH_BITS);
        else if (r >= 0)
                r = gbx_buffer_printf(stretch, err, "0");
        return r;
}

/* The statements of a trigger that take a row into its sum, or out of it: the same. */
static int append_change(sqlite3 *view, const char *table, const char *prefix, struct gbx_buffer *sql, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer columns = {}, stretch = {};
        int r = row_terms(view, table, prefix, &columns, &stretch, err);

        return r < 0 ? r
                     : gbx_buffer_printf(sql, err, /* not OR IGNORE: the statement that fires a trigger has the say over its conflicts */
                                         "INSERT INTO seal SELECT '%1$s',%2$s,zeroblob(%4$d) WHERE NOT EXISTS"
                                         "(SELECT 1 FROM seal WHERE tbl='%1$s' AND stretch=%2$s);"
                                         "UPDATE seal SET sum=gbx_combine(sum,gbx_row_code(%3$s)) WHERE tbl='%1$s' AND stretch=%2$s;",
                                         table, gbx_buffer_text(&stretch), gbx_buffer_text(&columns), GBX_SHA256_SIZE);
}

static int watch_table(sqlite3 *view, const char *table, struct gbx_error *err) {
        static const struct {
                const char *event, *before, *after;
        } events[] = { { "INSERT", NULL, "NEW." }, { "DELETE", "OLD.", NULL }, { "UPDATE", "OLD.", "NEW." } };

        for (size_t i = 0; i < gbx_array_size(events); i++) {
                gbx_auto(gbx_buffer_free) struct gbx_buffer sql = {};
                int r = gbx_buffer_printf(&sql, err, "CREATE TEMP TRIGGER seal_%s_%s AFTER %s ON main.%s BEGIN ", table, events[i].event,
                                          events[i].event, table);

                if (r >= 0 && events[i].before)
                        r = append_change(view, table, events[i].before, &sql, err);
                if (r >= 0 && events[i].after)
                        r = append_change(view, table, events[i].after, &sql, err);
                if (r >= 0)
                        r = gbx_buffer_printf(&sql, err, "END;");
                if (r < 0)
                        return r;
                if (sqlite3_exec(view, gbx_buffer_text(&sql), NULL, NULL, NULL) != SQLITE_OK)
                        return gbx_view_error(view, err, "take the seal's triggers");
        }
        return 0;
}

int gbx_seal_watch(sqlite3 *view, struct gbx_error *err) {
        int r = 0;

        for (const char *const *table = gbx_view_tables; *table && r >= 0; table++)
                r = watch_table(view, *table, err);
        return r;
}

/* --- the root ------------------------------------------------------------------- */

static int append_rows(sqlite3 *view, const char *sql, struct gbx_buffer *text, struct gbx_error *err) {
        gbx_auto(finalize) sqlite3_stmt *statement = NULL;
        int step, r = ask(view, &statement, err, sql);

        if (r < 0)
                return r;
        while ((step = sqlite3_step(statement)) == SQLITE_ROW)
                for (int i = 0; i < sqlite3_column_count(statement) && r >= 0; i++)
                        r = append_value(text, sqlite3_column_value(statement, i));
        return r < 0 ? gbx_fail_memory(err) : step == SQLITE_DONE ? 0 : gbx_view_error(view, err, "be read");
}

/* Over the schema too: with a view in place of a table, what is checked and what is used could be told apart. */
static int compute_root(sqlite3 *view, const uint8_t *key, uint8_t ret[static GBX_SHA256_SIZE], struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        uint64_t applied;
        int r = gbx_view_applied(view, &applied, err);

        if (r >= 0)
                r = gbx_buffer_append(&text, &applied, sizeof applied, err);
        if (r >= 0)
                r = append_rows(view, "SELECT type, name, tbl_name, sql FROM main.sqlite_master ORDER BY type, name", &text, err);
        if (r >= 0)
                r = append_rows(view, "SELECT tbl, stretch, sum FROM main.seal WHERE tbl<>'' ORDER BY tbl, stretch", &text, err);
        return r < 0 ? r : gbx_hmac_sha256(key, GBX_SEAL_KEY_SIZE, text.data, text.size, ret, err);
}

int gbx_seal_close(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], struct gbx_error *err) {
        gbx_auto(finalize) sqlite3_stmt *statement = NULL;
        uint8_t root[GBX_SHA256_SIZE];
        int r = compute_root(view, key, root, err);

        if (r >= 0)
                r = ask(view, &statement, err, "INSERT INTO seal VALUES('',0,?1) ON CONFLICT(tbl,stretch) DO UPDATE SET sum=excluded.sum");
        if (r < 0)
                return r;
        (void)sqlite3_bind_blob(statement, 1, root, sizeof root, SQLITE_STATIC);
        return sqlite3_step(statement) == SQLITE_DONE ? 0 : gbx_view_error(view, err, "be sealed");
}

int gbx_seal_check_root(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], struct gbx_error *err) {
        gbx_auto(finalize) sqlite3_stmt *statement = NULL;
        uint8_t root[GBX_SHA256_SIZE];
        int r = compute_root(view, key, root, err);

        if (r >= 0)
                r = ask(view, &statement, err, "SELECT sum FROM main.seal WHERE tbl='' AND stretch=0");
        if (r < 0)
                return r;
        if (sqlite3_step(statement) != SQLITE_ROW || sqlite3_column_bytes(statement, 0) != GBX_SHA256_SIZE ||
            CRYPTO_memcmp(sqlite3_column_blob(statement, 0), root, sizeof root) != 0)
                return broken(err, NULL);
        return 0;
}

/* --- rows against their sums ------------------------------------------------------ */

struct reading {
        sqlite3_stmt *rows, *sums;
};

static void free_reading(struct reading *reading) {
        finalize(&reading->rows);
        finalize(&reading->sums);
}

/* Rows with their codes and sums, both by stretch: of all the table, or of one stretch. */
static int open_reading(sqlite3 *view, const char *table, const int64_t *stretch, struct reading *ret, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer columns = {}, place = {};
        gbx_auto(free_sql) char *rows = NULL, *sums = NULL;
        sqlite3_int64 first = stretch ? *stretch << STRETCH_BITS : 0;
        int r = row_terms(view, table, "", &columns, &place, err);

        if (r < 0)
                return r;
        if (stretch) {
                rows = sqlite3_mprintf("SELECT %s, gbx_row_code(%s) FROM main.%s WHERE seq BETWEEN %lld AND %lld", gbx_buffer_text(&place),
                                       gbx_buffer_text(&columns), table, first, first + STRETCH - 1);
                sums = sqlite3_mprintf("SELECT stretch, sum FROM main.seal WHERE tbl=%Q AND stretch=%lld", table, (sqlite3_int64)*stretch);
        } else {
                rows = sqlite3_mprintf("SELECT %s AS s, gbx_row_code(%s) FROM main.%s ORDER BY s", gbx_buffer_text(&place),
                                       gbx_buffer_text(&columns), table);
                sums = sqlite3_mprintf("SELECT stretch, sum FROM main.seal WHERE tbl=%Q ORDER BY stretch", table);
        }
        if (!rows || !sums)
                return gbx_fail_memory(err);
        r = ask(view, &ret->rows, err, rows);
        return r < 0 ? r : ask(view, &ret->sums, err, sums);
}

/* A stretch whose rows are all gone has the sum zero. */
static int check_table(sqlite3 *view, const char *table, const int64_t *stretch, struct gbx_error *err) {
        gbx_auto(free_reading) struct reading reading = {};
        int row, sum, r = open_reading(view, table, stretch, &reading, err);

        if (r < 0)
                return r;
        row = sqlite3_step(reading.rows);
        while ((sum = sqlite3_step(reading.sums)) == SQLITE_ROW) {
                uint8_t found[GBX_SHA256_SIZE] = {};

                for (; row == SQLITE_ROW && sqlite3_column_int64(reading.rows, 0) == sqlite3_column_int64(reading.sums, 0);
                     row = sqlite3_step(reading.rows))
                        combine(found, sqlite3_column_blob(reading.rows, 1));
                if (sqlite3_column_bytes(reading.sums, 1) != GBX_SHA256_SIZE ||
                    CRYPTO_memcmp(sqlite3_column_blob(reading.sums, 1), found, sizeof found) != 0)
                        return broken(err, table);
        }
        if (row == SQLITE_ROW) /* of a stretch that the seal does not know */
                return broken(err, table);
        return row == SQLITE_DONE && sum == SQLITE_DONE ? 0 : gbx_view_error(view, err, "be read");
}

int gbx_seal_check(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], const char *table, struct gbx_error *err) {
        int r = gbx_seal_check_root(view, key, err);

        for (const char *const *name = gbx_view_tables; *name && r >= 0; name++)
                if (!table || strcmp(*name, table) == 0)
                        r = check_table(view, *name, NULL, err);
        return r;
}

int gbx_seal_check_row(sqlite3 *view, const uint8_t key[static GBX_SEAL_KEY_SIZE], const char *table, uint64_t seq, struct gbx_error *err) {
        int64_t stretch = (int64_t)(seq >> STRETCH_BITS);
        int r = gbx_seal_check_root(view, key, err);

        return r < 0 ? r : check_table(view, table, &stretch, err);
}
