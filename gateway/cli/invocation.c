#include "gateway/cli/invocation.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENT_LIMIT = 16 * 1024 * 1024 };

static const struct gbx_field global_fields[] = {
        { .name = "site", .value = "DIR" },
        { .name = "as", .value = "NAME" },
        { .name = "json", .type = GBX_FIELD_BOOLEAN },
        { .name = "help", .type = GBX_FIELD_BOOLEAN },
        { .name = "version", .type = GBX_FIELD_BOOLEAN },
        {},
};

static int usage(const struct gbx_invocation *invocation, struct gbx_error *err, const char *problem, const char *what) {
        return gbx_fail(err, -EINVAL, "%s%s; see 'gbx %s%s%s --help'", problem, what, invocation->noun ? invocation->noun : "",
                        invocation->verb ? " " : "", invocation->verb ? invocation->verb : "");
}

static const struct gbx_field *find_field(const struct gbx_field *fields, const char *name, size_t length) {
        for (const struct gbx_field *f = fields; f && f->name; f++)
                if (!f->positional && strlen(f->name) == length && strncmp(f->name, name, length) == 0)
                        return f;
        return NULL;
}

static int take_global(struct gbx_invocation *invocation, const struct gbx_field *field, const char *value, struct gbx_error *err) {
        const char **text = strcmp(field->name, "site") == 0 ? &invocation->site_path : &invocation->as;

        if (field->type == GBX_FIELD_BOOLEAN) {
                *(strcmp(field->name, "json") == 0 ? &invocation->json
                  : strcmp(field->name, "help") == 0 ? &invocation->help : &invocation->version) = true;
                return 0;
        }
        if (*text)
                return usage(invocation, err, "option given twice: --", field->name);
        *text = value;
        return 0;
}

static int take_value(struct gbx_invocation *invocation, const struct gbx_field *field, const char *value, struct gbx_error *err) {
        if (!field->repeated && gbx_invocation_value(invocation, field->name))
                return usage(invocation, err, "option given twice: --", field->name);
        if (invocation->value_count == GBX_CLI_MAX_VALUES)
                return usage(invocation, err, "too many options", "");
        invocation->values[invocation->value_count++] = (struct gbx_cli_value){ field, value };
        return 0;
}

/* One option, with or without "=VALUE". Returns how many elements of argv it took. */
static int take_option(struct gbx_invocation *invocation, int left, char **argv, struct gbx_error *err) {
        const char *name = argv[0] + 2, *equals = strchr(name, '='), *value = equals ? equals + 1 : NULL;
        size_t length = equals ? (size_t)(equals - name) : strlen(name);
        const struct gbx_field *own = invocation->operation ? find_field(invocation->operation->fields, name, length) : NULL;
        const struct gbx_field *field = own ? own : find_field(global_fields, name, length);
        bool toggle;
        int r;

        if (strcmp(argv[0], "-h") == 0)
                field = find_field(global_fields, "help", 4), value = NULL;
        else if (argv[0][1] != '-' || !field)
                return usage(invocation, err, "unknown option ", argv[0]);
        toggle = field->type == GBX_FIELD_BOOLEAN;
        if (toggle && value)
                return usage(invocation, err, "no value belongs behind --", field->name);
        if (!toggle && !value && left < 2)
                return usage(invocation, err, "a value is missing behind ", argv[0]);
        if (!toggle && !value)
                value = argv[1];
        r = own ? take_value(invocation, field, value, err) : take_global(invocation, field, value, err);
        return r < 0 ? r : 1 + (!toggle && value == argv[1]);
}

int gbx_invocation_begin(struct gbx_invocation *invocation, int argc, char **argv, struct gbx_error *err) {
        int used = 0;

        while (used < argc && argv[used][0] == '-' && argv[used][1]) {
                int r = take_option(invocation, argc - used, argv + used, err);

                if (r < 0)
                        return r;
                used += r;
        }
        return used;
}

static const struct gbx_field *next_argument(const struct gbx_invocation *invocation, size_t index) {
        for (const struct gbx_field *f = invocation->operation->fields; f && f->name; f++)
                if (f->positional && (f->repeated || index-- == 0))
                        return f;
        return NULL;
}

int gbx_invocation_parse(struct gbx_invocation *invocation, int argc, char **argv, struct gbx_error *err) {
        size_t arguments = 0;
        bool options = true;

        for (int i = 0; i < argc;) {
                const struct gbx_field *field;
                int r;

                if (options && strcmp(argv[i], "--") == 0) {
                        options = false;
                        i++;
                        continue;
                }
                if (options && argv[i][0] == '-' && argv[i][1]) {
                        r = take_option(invocation, argc - i, argv + i, err);
                        if (r < 0)
                                return r;
                        i += r;
                        continue;
                }
                field = next_argument(invocation, arguments++);
                if (!field)
                        return usage(invocation, err, "unexpected argument ", argv[i]);
                r = take_value(invocation, field, argv[i++], err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int gbx_invocation_environment(struct gbx_invocation *invocation, struct gbx_error *err) {
        const char *from = "--as";

        if (!invocation->as) {
                invocation->as = getenv("GBX_AS");
                from = "GBX_AS";
        }
        if (invocation->as && !*invocation->as)
                return gbx_fail(err, -EINVAL, "%s is empty: name who acts, or leave it out", from);
        if (invocation->site_path && !*invocation->site_path)
                return gbx_fail(err, -EINVAL, "--site is empty: name the site's folder, or leave it out");
        if (!invocation->site_path)
                invocation->site_path = getenv("GBX_SITE");
        if (!invocation->site_path || !*invocation->site_path)
                invocation->site_path = "gbx-site";
        return 0;
}

int gbx_invocation_check(const struct gbx_invocation *invocation, struct gbx_error *err) {
        char expected[256] = "";
        bool few = false;

        for (const struct gbx_field *f = invocation->operation->fields; f && f->name; f++) {
                size_t used = strlen(expected);

                if (f->positional) {
                        (void)snprintf(expected + used, sizeof expected - used, "%s%s", used ? " " : "", f->value);
                        few |= f->required && !gbx_invocation_value(invocation, f->name);
                }
        }
        if (few)
                return usage(invocation, err, "too few arguments, expected: ", expected);
        for (const struct gbx_field *f = invocation->operation->fields; f && f->name; f++)
                if (f->required && !gbx_invocation_value(invocation, f->name))
                        return usage(invocation, err, "missing option --", f->name);
        return 0;
}

const char *gbx_invocation_value(const struct gbx_invocation *invocation, const char *name) {
        for (size_t i = 0; i < invocation->value_count; i++)
                if (strcmp(invocation->values[i].field->name, name) == 0)
                        return invocation->values[i].text ? invocation->values[i].text : "";
        return NULL;
}

/* --- from texts to a request ------------------------------------------------------- */

int gbx_cli_read_file(const char *path, size_t limit, struct gbx_buffer *ret, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return gbx_fail(err, -EINVAL, "cannot open '%s': %s", path, strerror(errno));
        if (gbx_read_fd(fd, limit, ret, err) < 0)
                return gbx_context(err, -EINVAL, "%s", path);
        return 0;
}

/* Where the first byte stands that is not UTF-8, in the form of every problem of a file. */
static int refuse_bytes(const char *path, const struct gbx_buffer *bytes, struct gbx_error *err) {
        const char *text = gbx_buffer_text(bytes);
        size_t good = 0, line = 1, column = 1;

        for (size_t next = 1; good < bytes->size; good = next, next = good + 1) {
                while (next < bytes->size && ((unsigned char)text[next] & 0xc0) == 0x80)
                        next++;
                if (!gbx_utf8_valid(text + good, next - good))
                        break;
                column++;
                if (text[good] == '\n')
                        line++, column = 1;
        }
        return gbx_fail(err, -EINVAL, "%s:%zu:%zu: not UTF-8", path, line, column);
}

static int read_document(struct gbx_invocation *invocation, const struct gbx_field *field, const char *path, json_t **ret,
                         struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer bytes = {};
        json_error_t problem;
        int r = gbx_cli_read_file(path, DOCUMENT_LIMIT, &bytes, err);

        if (r < 0)
                return r;
        if (!gbx_utf8_valid(gbx_buffer_text(&bytes), bytes.size))
                return refuse_bytes(path, &bytes, err);
        if (field->type == GBX_FIELD_DOCUMENT) {
                if (!invocation->session.labels)
                        invocation->session.labels = json_object();
                (void)json_object_set_new(invocation->session.labels, field->name, json_string(path));
                *ret = json_stringn(gbx_buffer_text(&bytes), bytes.size);
                return *ret ? 0 : gbx_fail_memory(err);
        }
        *ret = json_loadb(gbx_buffer_text(&bytes), bytes.size, JSON_REJECT_DUPLICATES, &problem);
        if (!*ret)
                return gbx_fail(err, -EINVAL, "%s:%d:%d: %s", path, problem.line, problem.column, problem.text);
        return json_is_object(*ret) ? 0 : gbx_fail(err, -EINVAL, "%s: expected a JSON object", path);
}

static int open_file(struct gbx_invocation *invocation, const struct gbx_field *field, const char *path, json_t **ret,
                     struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *label = malloc(4 * strlen(path) + 1);
        int fd = label ? open(path, O_RDONLY | O_CLOEXEC) : -1;

        if (!label)
                return gbx_fail_memory(err);
        if (fd < 0)
                return gbx_fail(err, -EINVAL, "cannot open '%s': %s", path, strerror(errno));
        gbx_text_printable(path, strlen(path), label, 4 * strlen(path) + 1);
        if (!invocation->session.labels)
                invocation->session.labels = json_object();
        (void)json_object_set_new(invocation->session.labels, field->name, json_string(label));
        *ret = json_string(label);
        return gbx_session_attach(&invocation->session, field->name, fd, err);
}

static int make_value(struct gbx_invocation *invocation, const struct gbx_field *field, const char *text, json_t **ret,
                      struct gbx_error *err) {
        uint64_t number;
        int r;

        switch (field->type) {
        case GBX_FIELD_BOOLEAN:
                *ret = json_true();
                return 0;
        case GBX_FIELD_INTEGER:
                r = gbx_parse_u64(text, &number, err);
                if (r >= 0 && number > INT64_MAX)
                        r = gbx_fail(err, -EINVAL, "'%s' is too large", text);
                if (r < 0)
                        return gbx_context(err, r, "--%s", field->name);
                *ret = json_integer((json_int_t)number);
                return 0;
        case GBX_FIELD_OBJECT:
        case GBX_FIELD_DOCUMENT:
                return read_document(invocation, field, text, ret, err);
        case GBX_FIELD_FILE:
                return open_file(invocation, field, text, ret, err);
        default:
                if (!gbx_utf8_valid(text, strlen(text)))
                        return usage(invocation, err, "not UTF-8: the value of ", field->name);
                *ret = json_string(text);
                return *ret ? 0 : gbx_fail_memory(err);
        }
}

static const struct gbx_field *field_of(const struct gbx_operation *operation, const char *name) {
        for (const struct gbx_field *f = operation->fields; f && f->name; f++)
                if (!f->client && strcmp(f->name, name) == 0)
                        return f;
        return NULL;
}

int gbx_invocation_request(struct gbx_invocation *invocation, const struct gbx_operation *operation, json_t **ret_request,
                           struct gbx_error *err) {
        gbx_auto(gbx_json_freep) json_t *request = json_object();

        for (size_t i = 0; i < invocation->value_count; i++) {
                const struct gbx_field *field = field_of(operation, invocation->values[i].field->name);
                gbx_auto(gbx_json_freep) json_t *value = NULL;
                int r;

                if (!field)
                        continue;
                r = make_value(invocation, field, invocation->values[i].text, &value, err);
                if (r < 0)
                        return r;
                if (!field->repeated) {
                        (void)json_object_set(request, field->name, value);
                        continue;
                }
                if (!json_object_get(request, field->name))
                        (void)json_object_set_new(request, field->name, json_array());
                (void)json_array_append(json_object_get(request, field->name), value);
        }
        *ret_request = gbx_take_ptr(request);
        return 0;
}

void gbx_invocation_end(struct gbx_invocation *invocation) {
        gbx_session_close(&invocation->session);
}
