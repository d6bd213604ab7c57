/*
 * Compiles the system call profiles of a folder into one C file
 *
 *   profile-compiler DIRECTORY NAME... > sandbox-profiles.c
 *   profile-compiler --alone DIRECTORY NAME > NAME-profile.c
 *
 * A build tool: see filter.h for what it makes. --alone: the program of one
 * profile, as gbx_profile_NAME[] and gbx_profile_NAME_length, for one of our
 * own programs. Those have `default die`, the others a supervisor.
 */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/crypto.h"
#include "base/file.h"
#include "runtime/sandbox/profile.h"

#include <seccomp.h>
#include <stdio.h>
#include <string.h>

enum { HIGHEST_SYSCALL = 600 };

static void print_identifier(const char *name) {
        for (; *name; name++)
                putchar(*name == '-' ? '_' : *name);
}

static void print_text(const char *text) {
        for (; *text; text++) {
                if (*text == '\n')
                        fputs("\\n\"\n        \"", stdout);
                else if (*text == '"' || *text == '\\')
                        printf("\\%c", *text);
                else
                        putchar(*text);
        }
}

static void print_actions(const struct gbx_profile *profile, const char *name) {
        size_t count;
        const struct gbx_denial_action *actions = gbx_profile_actions(profile, &count);

        fputs("static const struct gbx_denial_action actions_", stdout);
        print_identifier(name);
        fputs("[] = {\n", stdout);
        for (size_t i = 0; i < count; i++)
                printf("        { %d, %u, %u },\n", actions[i].syscall, actions[i].kind, actions[i].error);
        fputs("        { -1, 0, 0 },\n};\n", stdout);
}

static void print_program(const struct gbx_buffer *program, const char *declaration, const char *name) {
        const uint8_t *at = program->data;

        fputs(declaration, stdout);
        print_identifier(name);
        fputs("[] = {\n", stdout);
        for (size_t i = 0; i < program->size / sizeof(struct sock_filter); i++, at += sizeof(struct sock_filter)) {
                struct sock_filter step;

                memcpy(&step, at, sizeof step);
                printf("        { 0x%02x, %u, %u, 0x%08x },\n", step.code, step.jt, step.jf, step.k);
        }
        fputs("};\n", stdout);
}

static int print_profile(int directory, const char *name, struct gbx_buffer *index, struct gbx_error *err) {
        gbx_auto(gbx_profile_freep) struct gbx_profile *profile = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer program = {}, identifier = {};
        char digest_text[GBX_SHA256_TEXT_SIZE];
        uint8_t digest[GBX_SHA256_SIZE];
        struct gbx_denial_action fallback;
        size_t count;
        int r = gbx_profile_load(&profile, directory, name, err);

        if (r == 0)
                r = gbx_profile_compile(profile, &program, err);
        if (r < 0)
                return gbx_context(err, r, "%s", name);
        if (gbx_profile_default(profile).kind == GBX_DENIAL_DIE)
                return gbx_fail(err, -EINVAL, "%s: 'default die' is not for jobs, whose supervisor records what it denies", name);
        struct gbx_bytes parts[] = { { gbx_profile_text(profile), strlen(gbx_profile_text(profile)) },
                                     { program.data, program.size } };
        gbx_sha256_parts(parts, gbx_array_size(parts), digest);
        gbx_sha256_text(digest, digest_text);
        print_actions(profile, name);
        print_program(&program, "static const struct sock_filter program_", name);
        fputs("static const char text_", stdout);
        print_identifier(name);
        fputs("[] =\n        \"", stdout);
        print_text(gbx_profile_text(profile));
        fputs("\";\n\n", stdout);
        fallback = gbx_profile_default(profile);
        (void)gbx_profile_actions(profile, &count);
        r = gbx_buffer_append_text(&identifier, name, err);
        for (size_t i = 0; r == 0 && i < identifier.size; i++)
                if (identifier.data[i] == '-')
                        identifier.data[i] = '_';
        if (r < 0)
                return r;
        return gbx_buffer_printf(index, err,
                                 "        { \"%s\", \"%s\", text_%s, program_%s, %zu, { -1, %u, %u }, actions_%s, %zu },\n",
                                 name, digest_text, gbx_buffer_text(&identifier), gbx_buffer_text(&identifier),
                                 program.size / sizeof(struct sock_filter), fallback.kind, fallback.error,
                                 gbx_buffer_text(&identifier), count);
}

static int print_alone(int directory, const char *name, struct gbx_error *err) {
        gbx_auto(gbx_profile_freep) struct gbx_profile *profile = NULL;
        gbx_auto(gbx_buffer_free) struct gbx_buffer program = {};
        int r = gbx_profile_load(&profile, directory, name, err);

        if (r == 0 && gbx_profile_default(profile).kind != GBX_DENIAL_DIE)
                r = gbx_fail(err, -EINVAL, "%s: must have 'default die'", name);
        if (r == 0)
                r = gbx_profile_compile(profile, &program, err);
        if (r < 0)
                return r;
        puts("/* Made by profile-compiler; do not edit. */\n#include \"runtime/sandbox/profile.h\"\n");
        printf("extern const struct sock_filter gbx_profile_%s[];\nextern const size_t gbx_profile_%s_length;\n", name, name);
        print_program(&program, "const struct sock_filter gbx_profile_", name);
        printf("const size_t gbx_profile_%s_length = sizeof gbx_profile_%s / sizeof *gbx_profile_%s;\n", name, name, name);
        return 0;
}

static void print_syscall_names(void) {
        fputs("const char *const gbx_syscall_names[] = {\n", stdout);
        for (int i = 0; i < HIGHEST_SYSCALL; i++) {
                char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, i);

                if (name)
                        printf("        [%d] = \"%s\",\n", i, name);
                free(name);
        }
        fputs("};\nconst size_t gbx_syscall_name_count = sizeof gbx_syscall_names / sizeof *gbx_syscall_names;\n", stdout);
}

int main(int argc, char **argv) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer index = {};
        gbx_auto(gbx_close_fd) int directory = -1;
        struct gbx_error err = {};
        int r;

        bool alone = argc > 1 && strcmp(argv[1], "--alone") == 0;

        argv += alone;
        argc -= alone;
        if (argc < 3) {
                fputs("usage: profile-compiler [--alone] DIRECTORY NAME...\n", stderr);
                return GBX_EXIT_USAGE;
        }
        directory = gbx_open_directory(AT_FDCWD, argv[1], &err);
        r = directory < 0 ? directory : 0;
        if (alone && r == 0)
                r = print_alone(directory, argv[2], &err);
        else
                puts("/* Made by profile-compiler; do not edit. */\n#include \"runtime/sandbox/filter.h\"\n");
        for (int i = 2; i < argc && r == 0 && !alone; i++)
                r = print_profile(directory, argv[i], &index, &err);
        if (r < 0) {
                fprintf(stderr, "profile-compiler: %s\n", err.message);
                return GBX_EXIT_FAILED;
        }
        if (alone)
                return fflush(stdout) == 0 ? 0 : 1;
        printf("const struct gbx_filter gbx_filters[] = {\n%s};\n", gbx_buffer_text(&index));
        puts("const size_t gbx_filter_count = sizeof gbx_filters / sizeof *gbx_filters;\n");
        print_syscall_names();
        return fflush(stdout) == 0 ? 0 : 1;
}
