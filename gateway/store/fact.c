#include "gateway/store/fact.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "gateway/store/seal.h"
#include "gateway/store/view.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { SQL_SIZE = 512 };

/* Of these tables a condition of gbx_fact_one means one row at most, and there are many rows: where it is found, the stretch
 * that holds it is enough to look at. */
static bool is_found(const char *table, bool one, const json_t *rows) {
        return one && json_array_size(rows) == 1 && (strcmp(table, "run") == 0 || strcmp(table, "release") == 0);
}

static int read_rows(struct gbx_site *site, json_t **ret_rows, bool one, struct gbx_error *err, const char *table, const char *condition,
                     va_list parameters) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        char sql[SQL_SIZE];
        json_t *row;
        size_t i;
        int r;

        if (snprintf(sql, sizeof sql, "SELECT * FROM %s WHERE %s ORDER BY seq", table, condition) >= (int)sizeof sql)
                return gbx_fail(err, -EINVAL, "the question to the view is too long");
        r = gbx_view_query_list(site->view, &rows, err, sql, parameters);
        if (r >= 0 && site->own_view) {
                *ret_rows = gbx_take_ptr(rows);
                return 0;
        }
        if (r >= 0 && is_found(table, one, rows))
                r = gbx_seal_check_row(site->view, site->seal_key, table, (uint64_t)gbx_json_number(json_array_get(rows, 0), "seq"), err);
        else if (r >= 0)
                r = gbx_seal_check(site->view, site->seal_key, table, err);
        json_array_foreach(rows, i, row)
                if (r >= 0)
                        r = gbx_evidence_check(site, table, row, err);
        if (r >= 0)
                *ret_rows = gbx_take_ptr(rows);
        return r;
}

/* Seal and rows are of one moment of the view, whatever others write meanwhile. */
static int read_in_snapshot(struct gbx_site *site, json_t **ret_rows, bool one, struct gbx_error *err, const char *table, const char *condition,
                            va_list parameters) {
        int r = gbx_view_begin_read(site->view, err);

        if (r < 0)
                return r;
        r = read_rows(site, ret_rows, one, err, table, condition, parameters);
        gbx_view_end_read(site->view);
        return r;
}

int gbx_fact_rows(struct gbx_site *site, json_t **ret_rows, struct gbx_error *err, const char *table, const char *condition, ...) {
        va_list parameters;
        int r;

        va_start(parameters, condition);
        r = read_in_snapshot(site, ret_rows, false, err, table, condition, parameters);
        va_end(parameters);
        return r;
}

int gbx_fact_one(struct gbx_site *site, json_t **ret_row, struct gbx_error *err, const char *table, const char *condition, ...) {
        gbx_auto(gbx_json_freep) json_t *rows = NULL;
        va_list parameters;
        int r;

        va_start(parameters, condition);
        r = read_in_snapshot(site, &rows, true, err, table, condition, parameters);
        va_end(parameters);
        if (r < 0)
                return r;
        if (json_array_size(rows) == 0)
                return 1;
        *ret_row = json_incref(json_array_get(rows, json_array_size(rows) - 1));
        return 0;
}

int gbx_fact_check_all(struct gbx_site *site, struct gbx_error *err) {
        int r = gbx_view_begin_read(site->view, err);

        if (r < 0)
                return r;
        r = gbx_seal_check(site->view, site->seal_key, NULL, err);
        gbx_view_end_read(site->view);
        return r;
}

int gbx_fact_count(struct gbx_site *site, const char *name, uint64_t *ret, struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *row = NULL;
        int r = gbx_view_begin_read(site->view, err);

        if (r < 0)
                return r;
        r = site->own_view ? 0 : gbx_seal_check(site->view, site->seal_key, "counter", err);
        if (r >= 0)
                r = gbx_view_query_one(site->view, &row, err, "SELECT value FROM counter WHERE name=?1", name, NULL);
        gbx_view_end_read(site->view);
        if (r >= 0)
                *ret = (uint64_t)gbx_json_number(row, "value");
        return r < 0 ? r : 0;
}
