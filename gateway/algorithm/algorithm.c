#include "gateway/algorithm/algorithm.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <string.h>

static const char *const engine_words[] = { "lua", "native", "lua-sql", NULL }; /* enum gbx_engine */
static const char *const type_words[] = { "integer", "decimal", "text", "date", "boolean", NULL };

#define AT(structure, name) .offset = offsetof(struct structure, name)
#define END { .key = NULL }

static const struct gbx_yaml_field parameter_fields[] = {
        { .key = "name", .type = GBX_YAML_WORD, AT(gbx_algorithm_parameter, name), .required = true },
        { .key = "type", .type = GBX_YAML_CHOICE, AT(gbx_algorithm_parameter, type), .words = type_words, .required = true },
        { .key = "required", .type = GBX_YAML_BOOLEAN, AT(gbx_algorithm_parameter, required), .fallback = "no" },
        { .key = "description", .type = GBX_YAML_TEXT, AT(gbx_algorithm_parameter, description) },
        END,
};

static const struct gbx_yaml_field algorithm_fields[] = {
        { .key = "name", .type = GBX_YAML_NAME, AT(gbx_algorithm, name), .required = true },
        { .key = "description", .type = GBX_YAML_TEXT, AT(gbx_algorithm, description) },
        { .key = "engine", .type = GBX_YAML_CHOICE, AT(gbx_algorithm, engine), .words = engine_words, .required = true },
        { .key = "entry", .type = GBX_YAML_TEXT, AT(gbx_algorithm, entry), .required = true },
        { .key = "datasets", .type = GBX_YAML_NAMES, AT(gbx_algorithm, datasets), .max = 64 },
        { .key = "parameters", .type = GBX_YAML_RECORDS, AT(gbx_algorithm, parameters), .fields = parameter_fields, .size = sizeof(struct gbx_algorithm_parameter), .max = 100 },
        END,
};

struct gbx_algorithm *gbx_algorithm_free(struct gbx_algorithm *algorithm) {
        if (!algorithm)
                return NULL;
        gbx_yaml_release(algorithm_fields, algorithm);
        free(algorithm);
        return NULL;
}

static bool is_elf(const struct gbx_bundle_file *file) {
        return file->size >= 4 && memcmp(file->data, "\x7f" "ELF", 4) == 0;
}

/* Text that a reviewer can read, which bytecode is not. */
static bool is_source(const struct gbx_bundle_file *file) {
        return file->data[0] != '\x1b' && !memchr(file->data, '\0', file->size) &&
               gbx_utf8_valid((const char *)file->data, file->size);
}

/* NULL if the files fit what the manifest says. */
static const char *files_complaint(const struct gbx_algorithm *algorithm, const struct gbx_bundle *bundle) {
        const struct gbx_bundle_file *entry = gbx_bundle_find(bundle, algorithm->entry);

        if (!entry)
                return "the bundle has no file of this name";
        if (algorithm->engine == GBX_ENGINE_NATIVE)
                return is_elf(entry) ? NULL : "the native engine starts an ELF binary, which this is not";
        for (size_t i = 0; i < bundle->count; i++)
                if (!is_source(&bundle->files[i]))
                        return "a bundle for the Lua engine has text files only (UTF-8; no bytecode, no binaries)";
        return NULL;
}

/* Adds what the tables cannot say. */
static int check(const struct gbx_algorithm *algorithm, const struct gbx_bundle *bundle,
                 const struct gbx_yaml_node *root, struct gbx_problems *problems, struct gbx_error *err) {
        const struct gbx_yaml_node *entry = gbx_yaml_get(root, "entry"), *list = gbx_yaml_get(root, "parameters");
        const struct gbx_algorithm_parameter *parameters = algorithm->parameters.items;
        const char *complaint = algorithm->entry ? files_complaint(algorithm, bundle) : NULL;
        int r = 0;

        if (complaint)
                r = gbx_problems_add(problems, entry->line, entry->column, err, "%s", complaint);
        for (size_t i = 0; list && i < list->count && i < algorithm->parameters.count && r == 0; i++)
                for (size_t k = 0; k < i && r == 0; k++)
                        if (parameters[i].name && parameters[k].name &&
                            strcmp(parameters[i].name, parameters[k].name) == 0)
                                r = gbx_problems_add(problems, list->children[i]->line, list->children[i]->column, err,
                                                     "the parameter '%s' stands twice", parameters[i].name);
        return r;
}

static int read_manifest(struct gbx_algorithm *algorithm, const struct gbx_bundle *bundle,
                         struct gbx_problems *problems, struct gbx_error *err) {
        const struct gbx_bundle_file *file = gbx_bundle_find(bundle, GBX_ALGORITHM_MANIFEST);
        gbx_auto(gbx_yaml_freep) struct gbx_yaml_node *root = NULL;
        int r;

        if (!file)
                return gbx_fail(err, -EINVAL, "the bundle has no " GBX_ALGORITHM_MANIFEST " at its root");
        r = gbx_problems_start(problems, GBX_ALGORITHM_MANIFEST, err);
        if (r == 0)
                r = gbx_yaml_parse(&root, file->data, file->size, problems, err);
        if (r == 0) {
                r = gbx_yaml_read(root, algorithm_fields, algorithm, problems, err);
                if (r == 0 || r == -EINVAL)
                        r = check(algorithm, bundle, root, problems, err);
        }
        if (r < 0 && r != -EINVAL)
                return r;
        return gbx_problems_result(problems, err);
}

static int from_form(struct gbx_algorithm *algorithm, const struct gbx_bundle *bundle, struct gbx_error *err) {
        algorithm->engine = bundle->form == GBX_BUNDLE_ELF ? GBX_ENGINE_NATIVE : GBX_ENGINE_LUA;
        algorithm->plain = true;
        algorithm->entry = strdup(bundle->files[0].path);
        return algorithm->entry ? 0 : gbx_fail_memory(err);
}

int gbx_algorithm_choose(struct gbx_algorithm *algorithm, const char *engine, struct gbx_error *err) {
        int wanted = gbx_engine_parse(engine);

        if (wanted == GBX_ENGINE_LUA_SQL && algorithm->plain && algorithm->engine == GBX_ENGINE_LUA)
                algorithm->engine = GBX_ENGINE_LUA_SQL;
        if (wanted != (int)algorithm->engine)
                return gbx_fail(err, -EINVAL, "it is for the engine %s, not '%s'",
                                gbx_engine_name((enum gbx_engine)algorithm->engine), engine);
        return 0;
}

int gbx_algorithm_read(struct gbx_algorithm **ret, const struct gbx_bundle *bundle, struct gbx_problems *problems,
                       struct gbx_error *err) {
        gbx_auto(gbx_algorithm_freep) struct gbx_algorithm *algorithm = calloc(1, sizeof *algorithm);
        gbx_auto(gbx_problems_free) struct gbx_problems own = {};
        int r;

        if (!algorithm)
                return gbx_fail_memory(err);
        if (bundle->form == GBX_BUNDLE_ARCHIVE)
                r = read_manifest(algorithm, bundle, problems ? problems : &own, err);
        else
                r = from_form(algorithm, bundle, err);
        if (r < 0)
                return r;
        *ret = gbx_take_ptr(algorithm);
        return 0;
}
