#include "runtime/sandbox/profile.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum {
        MAX_TEXT = 64 * 1024,
        MAX_RULES = 512,
        MAX_ACTIONS = 128,
        MAX_DEPTH = 4,
        MAX_CONDITIONS = 4,
};

struct rule {
        int syscall;
        unsigned error; /* 0: allowed; otherwise refused with it, unrecorded */
        unsigned count;
        struct scmp_arg_cmp conditions[MAX_CONDITIONS];
};

struct gbx_profile {
        struct rule rules[MAX_RULES];
        size_t rule_count;
        struct gbx_denial_action actions[MAX_ACTIONS], fallback;
        size_t action_count;
        struct gbx_buffer text;
};

struct constant {
        const char *name;
        uint64_t value;
};

/* Names that profiles may use, so that they can be read. */
static const struct constant constants[] = {
        { "PROT_EXEC", PROT_EXEC },
        { "PROT_WRITE_EXEC", PROT_WRITE | PROT_EXEC },
        { "MAP_SHARED_BIT", MAP_SHARED },
        { "MAP_ANONYMOUS", MAP_ANONYMOUS },
        { "MAP_HUGETLB", MAP_HUGETLB },
        { "NEW_NAMESPACES", CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                    CLONE_NEWPID | CLONE_NEWNET },
        { "THREAD_FLAGS", CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM },
        { "TCGETS", TCGETS },
        { "TIOCGWINSZ", TIOCGWINSZ },
        { "FIONREAD", FIONREAD },
        { "FIOCLEX", FIOCLEX },
        { "FIONBIO", FIONBIO },
        { "AT_EMPTY_PATH", AT_EMPTY_PATH },
        { "F_DUPFD", F_DUPFD },
        { "F_GETFD", F_GETFD },
        { "F_SETFD", F_SETFD },
        { "F_GETFL", F_GETFL },
        { "F_SETFL", F_SETFL },
        { "F_DUPFD_CLOEXEC", F_DUPFD_CLOEXEC },
        { "F_SETPIPE_SZ", F_SETPIPE_SZ },
        { "PR_SET_NAME", PR_SET_NAME },
        { "PR_GET_NAME", PR_GET_NAME },
        { "PR_SET_VMA", 0x53564d41 },
        { "PR_GET_DUMPABLE", PR_GET_DUMPABLE },
        { "PR_GET_NO_NEW_PRIVS", PR_GET_NO_NEW_PRIVS },
        { "PR_CAPBSET_READ", PR_CAPBSET_READ },
        { "ARCH_SET_FS", 0x1002 },
        { "ARCH_CET_STATUS", 0x3001 },
        { "AF_UNIX", AF_UNIX },
        { "AF_INET", AF_INET },
        { "AF_INET6", AF_INET6 },
        { "SOCK_STREAM", SOCK_STREAM },
        { "SOCK_TYPE_MASK", 0xf },
        { "SOL_SOCKET", SOL_SOCKET },
        { "IPPROTO_TCP", IPPROTO_TCP },
        { "O_WRITING", O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND },
        { "EXEC_DESCRIPTOR", 1023 },
        { "GRND_ANY", 7 },
        { "SIGABRT", SIGABRT },
        { "SI_TIMER_CLOCKS", 7 },
};

static const struct constant errors[] = {
        { "EPERM", EPERM }, { "ENOSYS", ENOSYS }, { "EACCES", EACCES }, { "ENOENT", ENOENT },
        { "EAFNOSUPPORT", EAFNOSUPPORT }, { "EINVAL", EINVAL }, { "EOPNOTSUPP", EOPNOTSUPP },
};

static int parse_errno(const char *word, unsigned *ret, struct gbx_error *err) {
        for (size_t i = 0; word && i < gbx_array_size(errors); i++)
                if (strcmp(errors[i].name, word) == 0) {
                        *ret = (unsigned)errors[i].value;
                        return 0;
                }
        return gbx_fail(err, -EINVAL, "'%.40s' is not an error name that profiles use", word ? word : "");
}

static int parse_one_value(const char *word, uint64_t *ret, struct gbx_error *err) {
        char *end;

        for (size_t i = 0; i < gbx_array_size(constants); i++)
                if (strcmp(constants[i].name, word) == 0) {
                        *ret = constants[i].value;
                        return 0;
                }
        if (strncmp(word, "0x", 2) == 0 && word[2]) {
                errno = 0;
                *ret = strtoull(word + 2, &end, 16);
                if (errno == 0 && !*end)
                        return 0;
        }
        return gbx_parse_u64(word, ret, err);
}

/* VALUE or VALUE|VALUE|… */
static int parse_value(char *word, uint64_t *ret, struct gbx_error *err) {
        uint64_t sum = 0;
        char *rest = NULL;

        if (!word)
                return gbx_fail(err, -EINVAL, "a value is missing");
        for (char *part = strtok_r(word, "|", &rest); part; part = strtok_r(NULL, "|", &rest)) {
                uint64_t value;
                int r = parse_one_value(part, &value, err);

                if (r < 0)
                        return r;
                sum |= value;
        }
        *ret = sum;
        return 0;
}

static int parse_syscall(const char *name, int *ret, struct gbx_error *err) {
        int number = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name);

        if (number < 0)
                return gbx_fail(err, -EINVAL, "'%.40s' is not a system call of x86-64", name);
        *ret = number;
        return 0;
}

static struct scmp_arg_cmp comparison(unsigned argument, enum scmp_compare compare, uint64_t a, uint64_t b) {
        return (struct scmp_arg_cmp){ .arg = argument, .op = compare, .datum_a = a, .datum_b = b };
}

/* argN[:int] (== | != | <= | >=) VALUE, or argN & MASK == VALUE. `rest` is strtok_r's. */
static int parse_condition(struct scmp_arg_cmp *ret, char **rest, struct gbx_error *err) {
        static const struct { const char *text; enum scmp_compare compare; } operators[] = {
                { "==", SCMP_CMP_EQ }, { "!=", SCMP_CMP_NE }, { "<=", SCMP_CMP_LE }, { ">=", SCMP_CMP_GE },
        };
        char *argument = strtok_r(NULL, " \t", rest), *operator= strtok_r(NULL, " \t", rest);
        bool narrow = argument && strcmp(argument + strcspn(argument, ":"), ":int") == 0;
        uint64_t mask, value;
        int r;

        if (!argument || strncmp(argument, "arg", 3) != 0 || argument[3] < '0' || argument[3] > '5' ||
            (argument[4] && !(narrow && argument[4] == ':')) || !operator)
                return gbx_fail(err, -EINVAL, "a condition is 'argN OP VALUE' or 'argN & MASK == VALUE'");
        ret->arg = (unsigned)(argument[3] - '0');
        if (strcmp(operator, "&") == 0) {
                char *equals;

                r = parse_value(strtok_r(NULL, " \t", rest), &mask, err);
                if (r < 0)
                        return r;
                equals = strtok_r(NULL, " \t", rest);
                if (!equals || strcmp(equals, "==") != 0)
                        return gbx_fail(err, -EINVAL, "'== VALUE' is missing behind the mask");
                r = parse_value(strtok_r(NULL, " \t", rest), &value, err);
                if (r == 0)
                        *ret = comparison(ret->arg, SCMP_CMP_MASKED_EQ, mask, value);
                return r;
        }
        r = parse_value(strtok_r(NULL, " \t", rest), &value, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < gbx_array_size(operators); i++)
                if (strcmp(operators[i].text, operator) == 0) {
                        if (narrow && operators[i].compare != SCMP_CMP_EQ)
                                return gbx_fail(err, -EINVAL, ":int goes with == only");
                        *ret = narrow ? comparison(ret->arg, SCMP_CMP_MASKED_EQ, 0xffffffffU, value & 0xffffffffU)
                                      : comparison(ret->arg, operators[i].compare, value, 0);
                        return 0;
                }
        return gbx_fail(err, -EINVAL, "'%.10s' is not an operator", operator);
}

static int add_rule(struct gbx_profile *profile, const struct rule *rule, struct gbx_error *err) {
        if (profile->rule_count == MAX_RULES)
                return gbx_fail(err, -EINVAL, "more than %d rules", MAX_RULES);
        profile->rules[profile->rule_count++] = *rule;
        return 0;
}

/* NAME... [if CONDITION [and CONDITION]...]; `error` 0 allows, others refuse with it. */
static int parse_rules(struct gbx_profile *profile, unsigned error, char **rest, struct gbx_error *err) {
        size_t first = profile->rule_count;
        char *word;
        int r;

        while ((word = strtok_r(NULL, " \t", rest)) && strcmp(word, "if") != 0) {
                struct rule rule = { .error = error };

                r = parse_syscall(word, &rule.syscall, err);
                if (r == 0)
                        r = add_rule(profile, &rule, err);
                if (r < 0)
                        return r;
        }
        if (profile->rule_count == first)
                return gbx_fail(err, -EINVAL, "a system call is missing");
        if (!word)
                return 0;
        if (profile->rule_count != first + 1)
                return gbx_fail(err, -EINVAL, "conditions go with one system call at a time");
        do {
                struct rule *rule = &profile->rules[first];

                if (rule->count == MAX_CONDITIONS)
                        return gbx_fail(err, -EINVAL, "more than %d conditions", MAX_CONDITIONS);
                r = parse_condition(&rule->conditions[rule->count++], rest, err);
                if (r < 0)
                        return r;
                word = strtok_r(NULL, " \t", rest);
        } while (word && strcmp(word, "and") == 0);
        return word ? gbx_fail(err, -EINVAL, "'%.20s' is not expected here", word) : 0;
}

static int parse_refuse(struct gbx_profile *profile, char **rest, struct gbx_error *err) {
        unsigned error;
        int r = parse_errno(strtok_r(NULL, " \t", rest), &error, err);

        return r < 0 ? r : parse_rules(profile, error, rest, err);
}

static int parse_action(struct gbx_profile *profile, enum gbx_denial_kind kind, char **rest, struct gbx_error *err) {
        unsigned error = EPERM;
        char *word;
        int r = kind == GBX_DENIAL_KILL ? 0 : parse_errno(strtok_r(NULL, " \t", rest), &error, err);

        if (r < 0)
                return r;
        while ((word = strtok_r(NULL, " \t", rest))) {
                int number = 0;

                r = parse_syscall(word, &number, err);
                if (r < 0)
                        return r;
                if (profile->action_count == MAX_ACTIONS)
                        return gbx_fail(err, -EINVAL, "more than %d answers", MAX_ACTIONS);
                profile->actions[profile->action_count++] =
                        (struct gbx_denial_action){ number, (uint8_t)kind, (uint8_t)error };
        }
        return 0;
}

static int parse_default(struct gbx_profile *profile, char **rest, struct gbx_error *err) {
        char *word = strtok_r(NULL, " \t", rest);
        unsigned error = EPERM;
        int r = 0;

        profile->fallback.kind = GBX_DENIAL_ERRNO;
        if (word && strcmp(word, "kill") == 0)
                profile->fallback.kind = GBX_DENIAL_KILL;
        else if (word && strcmp(word, "die") == 0)
                profile->fallback.kind = GBX_DENIAL_DIE;
        else
                r = parse_errno(word, &error, err);
        if (r < 0)
                return r;
        profile->fallback.error = (uint8_t)error;
        return 0;
}

static int parse_text(struct gbx_profile *profile, int directory, const char *name, const char *text, unsigned depth,
                      struct gbx_error *err);

static int parse_include(struct gbx_profile *profile, int directory, char **rest, unsigned depth,
                         struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        const char *name = strtok_r(NULL, " \t", rest);
        int r;

        if (!name || !gbx_name_valid(name) || directory < 0)
                return gbx_fail(err, -EINVAL, "'include' wants the name of a profile");
        if (depth == MAX_DEPTH)
                return gbx_fail(err, -EINVAL, "included too deeply");
        r = gbx_read_file(directory, name, MAX_TEXT, &text, err);
        if (r < 0)
                return r;
        return parse_text(profile, directory, name, gbx_buffer_text(&text), depth + 1, err);
}

/* One line without its comment. The normalized line goes to the profile's text. */
static int parse_line(struct gbx_profile *profile, int directory, char *line, unsigned depth, struct gbx_error *err) {
        gbx_auto(gbx_free_pointer) char *copy = strdup(line);
        char *rest = NULL, *word;

        if (!copy)
                return gbx_fail_memory(err);
        word = strtok_r(copy, " \t", &rest);
        if (!word)
                return 0;
        if (strcmp(word, "include") == 0)
                return parse_include(profile, directory, &rest, depth, err);
        line += strspn(line, " \t");
        for (size_t length = strlen(line); length > 0 && strchr(" \t", line[length - 1]);)
                line[--length] = '\0';
        if (gbx_buffer_printf(&profile->text, err, "%s\n", line) < 0)
                return -ENOMEM;
        if (strcmp(word, "allow") == 0)
                return parse_rules(profile, 0, &rest, err);
        if (strcmp(word, "refuse") == 0)
                return parse_refuse(profile, &rest, err);
        if (strcmp(word, "report") == 0)
                return parse_action(profile, GBX_DENIAL_ERRNO, &rest, err);
        if (strcmp(word, "kill") == 0)
                return parse_action(profile, GBX_DENIAL_KILL, &rest, err);
        if (strcmp(word, "default") == 0)
                return parse_default(profile, &rest, err);
        return gbx_fail(err, -EINVAL, "'%.20s' is not a word that begins a line", word);
}

static int parse_text(struct gbx_profile *profile, int directory, const char *name, const char *text, unsigned depth,
                      struct gbx_error *err) {
        unsigned number = 0;

        while (*text) {
                const char *end = strchrnul(text, '\n');
                gbx_auto(gbx_free_pointer) char *line = strndup(text, (size_t)(end - text));
                int r;

                number++;
                if (!line)
                        return gbx_fail_memory(err);
                line[strcspn(line, "#")] = '\0';
                r = parse_line(profile, directory, line, depth, err);
                if (r < 0)
                        return gbx_context(err, r, "%s:%u", name, number);
                text = *end ? end + 1 : end;
        }
        return 0;
}

int gbx_profile_parse(struct gbx_profile **ret, int directory, const char *name, const char *text,
                      struct gbx_error *err) {
        gbx_auto(gbx_profile_freep) struct gbx_profile *profile = calloc(1, sizeof *profile);
        int r;

        if (!profile)
                return gbx_fail_memory(err);
        r = parse_text(profile, directory, name, text, 0, err);
        if (r < 0)
                return r;
        if (profile->fallback.error == 0)
                return gbx_fail(err, -EINVAL, "%s: no line 'default ERRNO', 'default kill' or 'default die'", name);
        if (profile->fallback.kind == GBX_DENIAL_DIE && profile->action_count)
                return gbx_fail(err, -EINVAL, "%s: with 'default die' nobody takes reports", name);
        *ret = gbx_take_ptr(profile);
        return 0;
}

int gbx_profile_load(struct gbx_profile **ret, int directory, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer text = {};
        int r = gbx_read_file(directory, name, MAX_TEXT, &text, err);

        if (r < 0)
                return gbx_context(err, r, "profile %s", name);
        return gbx_profile_parse(ret, directory, name, gbx_buffer_text(&text), err);
}

struct gbx_profile *gbx_profile_free(struct gbx_profile *profile) {
        if (profile)
                gbx_buffer_free(&profile->text);
        free(profile);
        return NULL;
}

const char *gbx_profile_text(const struct gbx_profile *profile) {
        return gbx_buffer_text(&profile->text);
}

struct gbx_denial_action gbx_profile_default(const struct gbx_profile *profile) {
        return profile->fallback;
}

const struct gbx_denial_action *gbx_profile_actions(const struct gbx_profile *profile, size_t *ret_count) {
        *ret_count = profile->action_count;
        return profile->actions;
}

static int export(scmp_filter_ctx filter, struct gbx_buffer *ret_program, struct gbx_error *err) {
        gbx_auto(gbx_close_fd) int fd = memfd_create("filter", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return gbx_fail_errno(err, "cannot make a memory file");
        r = seccomp_export_bpf(filter, fd);
        if (r < 0)
                return gbx_fail(err, r, "libseccomp cannot compile the profile");
        if (lseek(fd, 0, SEEK_SET) < 0)
                return gbx_fail_errno(err, "cannot rewind the filter");
        return gbx_read_fd(fd, BPF_MAXINSNS * sizeof(struct sock_filter), ret_program, err);
}

static void release_filter(scmp_filter_ctx *filter) {
        if (*filter)
                seccomp_release(*filter);
}

int gbx_profile_compile(const struct gbx_profile *profile, struct gbx_buffer *ret_program, struct gbx_error *err) {
        gbx_auto(release_filter) scmp_filter_ctx filter =
                seccomp_init(profile->fallback.kind == GBX_DENIAL_DIE ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_NOTIFY);
        int r = 0;

        if (!filter)
                return gbx_fail_memory(err);
        if (seccomp_arch_exist(filter, SCMP_ARCH_X86_64) != 0) {
                r = seccomp_arch_add(filter, SCMP_ARCH_X86_64);
                if (r == 0)
                        r = seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
        }
        if (r == 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        if (r == 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree: shorter paths */
        if (r < 0)
                return gbx_fail(err, r, "libseccomp refuses the filter's settings");
        for (size_t i = 0; i < profile->rule_count; i++) {
                const struct rule *rule = &profile->rules[i];
                uint32_t action = rule->error ? SCMP_ACT_ERRNO(rule->error) : SCMP_ACT_ALLOW;

                r = seccomp_rule_add_array(filter, action, rule->syscall, rule->count, rule->conditions);
                if (r < 0 && r != -EEXIST)
                        return gbx_fail(err, r, "libseccomp refuses the rule for system call %d", rule->syscall);
        }
        return export(filter, ret_program, err);
}
