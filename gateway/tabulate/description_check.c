#include "gateway/tabulate/description.h"

#include "base/cleanup.h"
#include "policy/decimal.h"

#include <stdio.h>
#include <string.h>

struct check {
        struct gbx_table *table;
        const struct gbx_yaml_node *node;
        const struct gbx_source_schema *schemas;
        size_t schema_count;
        struct gbx_problems *problems;
        struct gbx_error *err;
};

/* What each kind of statistic wants. */
static const struct {
        bool of, over, at; /* required */
        bool may_of, may_weight;
        bool condition; /* `of` is a condition and not a number */
        bool any;       /* `of` may be of any kind */
} wants[GBX_STATISTIC_KINDS_] = {
        [GBX_STATISTIC_COUNT] = { .may_of = true, .may_weight = true, .any = true },
        [GBX_STATISTIC_CONTRIBUTORS] = { .may_of = true, .any = true },
        [GBX_STATISTIC_DISTINCT] = { .of = true, .any = true },
        [GBX_STATISTIC_SUM] = { .of = true, .may_weight = true },
        [GBX_STATISTIC_MEAN] = { .of = true, .may_weight = true },
        [GBX_STATISTIC_VARIANCE] = { .of = true, .may_weight = true },
        [GBX_STATISTIC_SHARE] = { .of = true, .may_weight = true, .condition = true },
        [GBX_STATISTIC_PERCENT] = { .of = true, .may_weight = true, .condition = true },
        [GBX_STATISTIC_RATIO] = { .of = true, .over = true, .may_weight = true },
        [GBX_STATISTIC_QUANTILE] = { .of = true, .at = true },
        [GBX_STATISTIC_MINIMUM] = { .of = true },
        [GBX_STATISTIC_MAXIMUM] = { .of = true },
        [GBX_STATISTIC_CORRELATION] = { .of = true, .over = true },
};

#define PROBLEM(check, where, ...) \
        gbx_problems_add((check)->problems, (where) ? (where)->line : 0, (where) ? (where)->column : 0, (check)->err, __VA_ARGS__)

/* The place of a key's value, or of the mapping. */
static const struct gbx_yaml_node *place(const struct gbx_yaml_node *mapping, const char *key) {
        const struct gbx_yaml_node *value = gbx_yaml_get(mapping, key);

        return value ? value : mapping;
}

static const struct gbx_yaml_node *element(const struct gbx_yaml_node *mapping, const char *key, size_t index) {
        const struct gbx_yaml_node *list = gbx_yaml_get(mapping, key);

        return list && index < list->count ? list->children[index] : place(mapping, key);
}

static int expression(struct check *check, const char *text, const struct gbx_yaml_node *where, const char *key,
                      struct gbx_expression **ret) {
        struct gbx_scope scope = { check->table->columns, check->table->column_count };
        struct gbx_expression_mistake mistake = {};
        int r;

        if (!text || *ret)
                return 0;
        r = gbx_expression_parse(ret, text, &scope, &mistake, check->err);
        if (r != -EINVAL)
                return r;
        return PROBLEM(check, where, "%s, character %zu: %s", key, mistake.character, mistake.message);
}

static int find_schema(struct check *check, const char *name, const struct gbx_yaml_node *where, size_t *ret) {
        *ret = SIZE_MAX;
        for (size_t i = 0; name && i < check->schema_count; i++)
                if (strcmp(check->schemas[i].dataset, name) == 0)
                        *ret = i;
        return !name || *ret != SIZE_MAX ? 0 : PROBLEM(check, where, "data: there is no dataset '%s' here", name);
}

/* Adds a column to the scope; `name` is taken over. */
static int add_column(struct check *check, char *name, const struct gbx_kind_of *type) {
        struct gbx_table *table = check->table;

        if (!name)
                return gbx_fail_memory(check->err);
        table->names[table->column_count] = name;
        table->columns[table->column_count++] = (struct gbx_scope_column){ name, *type };
        return 0;
}

static size_t find_column(const struct gbx_table *table, const char *name) {
        for (size_t i = 0; i < table->column_count; i++)
                if (strcmp(table->columns[i].name, name) == 0)
                        return i;
        return SIZE_MAX;
}

/* One row of the table meets at most one of the joined dataset, and about nobody else than the row is about. */
static int check_join(struct check *check, struct gbx_table_join *join, const struct gbx_yaml_node *where) {
        const struct gbx_source_schema *own = &check->schemas[check->table->schema], *other;
        int r = find_schema(check, join->data, place(where, "data"), &join->schema);

        if (r < 0 || join->schema == SIZE_MAX || !join->on || !join->key || !join->as)
                return r;
        other = &check->schemas[join->schema];
        join->on_column = gbx_source_schema_find(own, join->on);
        join->key_column = gbx_source_schema_find(other, join->key);
        if (join->on_column == SIZE_MAX)
                return PROBLEM(check, place(where, "on"), "on: '%s' has no column '%.64s'", own->dataset, join->on);
        if (join->key_column == SIZE_MAX || !other->columns[join->key_column].key)
                return PROBLEM(check, place(where, "key"), "key: '%.64s' is not declared a key of '%s'", join->key, other->dataset);
        if (own->columns[join->on_column].type.kind != other->columns[join->key_column].type.kind ||
            own->columns[join->on_column].type.scale != other->columns[join->key_column].type.scale)
                return PROBLEM(check, place(where, "on"), "on: '%.64s' and '%.64s' are not of one type", join->on, join->key);
        if (other->contributor != SIZE_MAX && (other->contributor != join->key_column || own->contributor != join->on_column))
                return PROBLEM(check, place(where, "data"),
                               "data: '%s' is about its own contributors; it can only be joined by them, to a dataset about the same ones", other->dataset);
        join->first = check->table->column_count;
        for (size_t i = 0; i < other->count && r >= 0; i++) {
                struct gbx_kind_of type = other->columns[i].type;
                char *name = NULL;

                type.missing |= join->kind == GBX_JOIN_LEFT;
                if (asprintf(&name, "%s.%s", join->as, other->columns[i].name) < 0)
                        name = NULL;
                r = add_column(check, name, &type);
        }
        return r;
}

static int check_sources(struct check *check) {
        struct gbx_table *table = check->table;
        struct gbx_table_join *joins = table->joins.items;
        const struct gbx_source_schema *own = &check->schemas[table->schema];
        int r = 0;

        for (size_t i = 0; i < own->count && r >= 0; i++)
                r = add_column(check, strdup(own->columns[i].name), &own->columns[i].type);
        for (size_t i = 0; i < table->joins.count && r >= 0; i++) {
                const struct gbx_yaml_node *where = element(check->node, "join", i);

                for (size_t k = 0; k < i && joins[i].as && r >= 0; k++)
                        if (joins[k].as && strcmp(joins[k].as, joins[i].as) == 0)
                                r = PROBLEM(check, place(where, "as"), "as: '%s' stands twice", joins[i].as);
                if (r >= 0)
                        r = check_join(check, &joins[i], where);
        }
        table->source_columns = table->column_count;
        return r;
}

static int check_derived(struct check *check) {
        struct gbx_table *table = check->table;
        struct gbx_table_derived *derived = table->derived.items;
        int r = 0;

        for (size_t i = 0; i < table->derived.count && r >= 0; i++) {
                const struct gbx_yaml_node *where = element(check->node, "derive", i);

                if (!derived[i].name || !derived[i].value)
                        continue;
                if (find_column(table, derived[i].name) != SIZE_MAX) {
                        r = PROBLEM(check, place(where, "name"), "name: there is a column '%s' already", derived[i].name);
                        continue;
                }
                r = expression(check, derived[i].value, place(where, "value"), "value", &derived[i].expression);
                if (r >= 0 && derived[i].expression)
                        r = add_column(check, strdup(derived[i].name), &derived[i].expression->type);
        }
        return r;
}

static int check_where(struct check *check) {
        const struct gbx_yaml_node *where = place(check->node, "where");
        int r = expression(check, check->table->where, where, "where", &check->table->where_expression);

        if (r >= 0 && check->table->where_expression && check->table->where_expression->type.kind != GBX_KIND_BOOLEAN)
                r = PROBLEM(check, where, "where: a condition is wanted, and this is a %s", gbx_kind_name(check->table->where_expression->type.kind));
        return r;
}

static int check_keys(struct check *check) {
        struct gbx_table *table = check->table;
        int r = 0;

        for (size_t i = 0; i < table->by.count && i < GBX_TABLE_MAX_KEYS && r >= 0; i++) {
                table->keys[i] = find_column(table, table->by.items[i]);
                if (table->keys[i] == SIZE_MAX)
                        r = PROBLEM(check, element(check->node, "by", i), "by: there is no column '%.64s'", table->by.items[i]);
        }
        return r;
}

static int check_kind(struct check *check, const struct gbx_expression *expression, enum gbx_kind kind, const struct gbx_yaml_node *where,
                      const char *key) {
        if (!expression || expression->type.kind == kind)
                return 0;
        return PROBLEM(check, where, "%s: a %s is wanted, and this is a %s", key, gbx_kind_name(kind), gbx_kind_name(expression->type.kind));
}

/* Digits behind the point of the result: exact where nothing is divided, GBX_STATISTIC_DECIMALS otherwise, or as given. */
static int settle_decimals(struct check *check, struct gbx_statistic *statistic, const struct gbx_yaml_node *where) {
        unsigned exact = (statistic->of_expression ? statistic->of_expression->type.scale : 0) +
                         (statistic->weight_expression ? statistic->weight_expression->type.scale : 0);
        struct gbx_decimal given;

        switch ((enum gbx_statistic_kind)statistic->kind) {
        case GBX_STATISTIC_COUNT:
                statistic->decimals = statistic->weight_expression ? statistic->weight_expression->type.scale : 0;
                break;
        case GBX_STATISTIC_CONTRIBUTORS:
        case GBX_STATISTIC_DISTINCT:
                statistic->decimals = 0;
                break;
        case GBX_STATISTIC_SUM:
        case GBX_STATISTIC_MINIMUM:
        case GBX_STATISTIC_MAXIMUM:
                statistic->decimals = exact;
                break;
        default:
                statistic->decimals = GBX_STATISTIC_DECIMALS;
                break;
        }
        if (!statistic->decimals_text)
                return 0;
        if (gbx_decimal_parse(statistic->decimals_text, &given, NULL) < 0 || given.scale != 0 || given.mantissa < 0 ||
            given.mantissa > GBX_STATISTIC_MAX_DECIMALS)
                return PROBLEM(check, place(where, "decimals"), "decimals: 0 to %d are wanted", GBX_STATISTIC_MAX_DECIMALS);
        statistic->decimals = (unsigned)given.mantissa;
        return 0;
}

static int settle_place(struct check *check, struct gbx_statistic *statistic, const struct gbx_yaml_node *where) {
        static const struct gbx_decimal millionth = { 1, 6 };
        struct gbx_decimal at, rounded;

        if (!statistic->at)
                return 0;
        if (gbx_decimal_parse(statistic->at, &at, NULL) < 0 || gbx_decimal_round(&at, &millionth, &rounded, NULL) < 0 ||
            gbx_decimal_compare(&at, &rounded) != 0 || rounded.mantissa <= 0 || rounded.mantissa >= 1000000)
                return PROBLEM(check, place(where, "at"), "at: a number between 0 and 1 with at most 6 decimals is wanted, 0.5 for the median");
        statistic->at_millionths = rounded.mantissa;
        return 0;
}

static int check_given(struct check *check, const struct gbx_statistic *statistic, const struct gbx_yaml_node *where) {
        const char *word = gbx_statistic_kind_name(statistic->kind);
        const struct {
                const char *key, *value;
                bool required, allowed;
        } keys[] = {
                { "of", statistic->of, wants[statistic->kind].of, wants[statistic->kind].of || wants[statistic->kind].may_of },
                { "over", statistic->over, wants[statistic->kind].over, wants[statistic->kind].over },
                { "at", statistic->at, wants[statistic->kind].at, wants[statistic->kind].at },
                { "weight", statistic->weight, false, wants[statistic->kind].may_weight },
        };
        int r = 0;

        for (size_t i = 0; i < gbx_array_size(keys) && r >= 0; i++)
                if (keys[i].required && !keys[i].value)
                        r = PROBLEM(check, where, "a statistic of kind %s needs '%s'", word, keys[i].key);
                else if (keys[i].value && !keys[i].allowed)
                        r = PROBLEM(check, place(where, keys[i].key), "a statistic of kind %s has no '%s'", word, keys[i].key);
        return r;
}

static int check_statistic(struct check *check, struct gbx_statistic *statistic, const struct gbx_yaml_node *where) {
        const struct {
                const char *key, *text;
                struct gbx_expression **ret;
                enum gbx_kind kind;
                bool any;
        } operands[] = {
                { "of", statistic->of, &statistic->of_expression, wants[statistic->kind].condition ? GBX_KIND_BOOLEAN : GBX_KIND_NUMBER, wants[statistic->kind].any },
                { "over", statistic->over, &statistic->over_expression, GBX_KIND_NUMBER, false },
                { "weight", statistic->weight, &statistic->weight_expression, GBX_KIND_NUMBER, false },
        };
        int r = check_given(check, statistic, where);

        for (size_t i = 0; i < gbx_array_size(operands) && r >= 0; i++) {
                r = expression(check, operands[i].text, place(where, operands[i].key), operands[i].key, operands[i].ret);
                if (r >= 0 && !operands[i].any)
                        r = check_kind(check, *operands[i].ret, operands[i].kind, place(where, operands[i].key), operands[i].key);
        }
        if (r >= 0)
                r = settle_place(check, statistic, where);
        return r < 0 ? r : settle_decimals(check, statistic, where);
}

static int check_statistics(struct check *check) {
        struct gbx_table *table = check->table;
        struct gbx_statistic *statistics = table->statistics.items;
        int r = 0;

        for (size_t i = 0; i < table->statistics.count && r >= 0; i++) {
                const struct gbx_yaml_node *where = element(check->node, "statistics", i);
                bool twice = false;

                for (size_t k = 0; k < i && statistics[i].name; k++)
                        twice |= statistics[k].name && strcmp(statistics[k].name, statistics[i].name) == 0;
                for (size_t k = 0; k < table->by.count && statistics[i].name; k++)
                        twice |= strcmp(table->by.items[k], statistics[i].name) == 0;
                if (twice)
                        r = PROBLEM(check, place(where, "name"), "name: '%s' stands twice among the table's columns", statistics[i].name);
                if (r >= 0 && where->kind == GBX_YAML_MAPPING && statistics[i].kind < GBX_STATISTIC_KINDS_ && gbx_yaml_get(where, "kind"))
                        r = check_statistic(check, &statistics[i], where);
        }
        return r;
}

static int check_model(struct check *check) {
        struct gbx_table *table = check->table;
        struct gbx_table_model *model = &table->model;
        const struct gbx_yaml_node *where = gbx_yaml_get(check->node, "model");
        enum gbx_kind kind = model->kind == GBX_MODEL_LOGISTIC ? GBX_KIND_BOOLEAN : GBX_KIND_NUMBER;
        int r;

        table->has_model = where != NULL;
        if (table->has_model == (table->statistics.count > 0))
                return PROBLEM(check, check->node, "a table has either 'statistics' or a 'model'");
        if (!where)
                return 0;
        if (table->by.count || table->margins != GBX_MARGINS_NONE)
                return PROBLEM(check, check->node, "a model has neither 'by' nor 'margins'");
        if (!model->outcome || model->terms.count == 0)
                return PROBLEM(check, where, "a model needs an 'outcome' and 'terms'");
        r = expression(check, model->outcome, place(where, "outcome"), "outcome", &model->outcome_expression);
        if (r >= 0)
                r = check_kind(check, model->outcome_expression, kind, place(where, "outcome"), "outcome");
        for (size_t i = 0; i < model->terms.count && i < GBX_TABLE_MAX_TERMS && r >= 0; i++) {
                r = expression(check, model->terms.items[i], element(where, "terms", i), "terms", &model->term_expressions[i]);
                if (r >= 0)
                        r = check_kind(check, model->term_expressions[i], GBX_KIND_NUMBER, element(where, "terms", i), "terms");
        }
        return r;
}

static void note(struct gbx_table *table, const struct gbx_expression *expression) {
        if (expression)
                gbx_expression_columns(expression, table->used);
}

/* Which columns are read, so that the others are never looked at. */
static void note_used(struct gbx_table *table) {
        const struct gbx_table_derived *derived = table->derived.items;
        const struct gbx_table_join *joins = table->joins.items;
        const struct gbx_statistic *statistics = table->statistics.items;

        note(table, table->where_expression);
        for (size_t i = 0; i < table->derived.count; i++)
                note(table, derived[i].expression);
        for (size_t i = 0; i < table->by.count; i++)
                table->used[table->keys[i]] = true;
        for (size_t i = 0; i < table->joins.count; i++)
                table->used[joins[i].on_column] = true;
        for (size_t i = 0; i < table->statistics.count; i++) {
                note(table, statistics[i].of_expression);
                note(table, statistics[i].over_expression);
                note(table, statistics[i].weight_expression);
        }
        note(table, table->model.outcome_expression);
        for (size_t i = 0; i < table->model.terms.count && table->has_model; i++)
                note(table, table->model.term_expressions[i]);
}

int gbx_table_check(struct gbx_table *table, const struct gbx_yaml_node *node, const struct gbx_source_schema *schemas,
                    size_t schema_count, struct gbx_problems *problems, struct gbx_error *err) {
        struct check check = { .table = table, .node = node, .schemas = schemas, .schema_count = schema_count, .problems = problems, .err = err };
        static int (*const steps[])(struct check *) = { check_sources, check_where, check_derived, check_keys, check_statistics, check_model };
        size_t before = problems->count + problems->left_out, room = GBX_TABLE_MAX_DERIVED;
        int r = find_schema(&check, table->data, place(node, "data"), &table->schema);

        if (r < 0 || !table->data || table->schema == SIZE_MAX)
                return r;
        for (size_t i = 0; i < schema_count; i++)
                room += schemas[i].count * (i == table->schema ? 1 + GBX_TABLE_MAX_JOINS : GBX_TABLE_MAX_JOINS);
        table->columns = calloc(room, sizeof *table->columns);
        table->names = calloc(room, sizeof *table->names);
        table->used = calloc(room, sizeof *table->used);
        if (!table->columns || !table->names || !table->used)
                return gbx_fail_memory(err);
        for (size_t i = 0; i < gbx_array_size(steps) && r >= 0; i++)
                r = steps[i](&check);
        if (r >= 0 && problems->count + problems->left_out == before)
                note_used(table);
        return r;
}
