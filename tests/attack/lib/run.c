/*
 * attack-run: runs an attack program and judges what it printed
 *
 *      attack-run control [options] PROGRAM [ARGUMENT]...   outside of any sandbox: attempts must work
 *      attack-run stopped [options] PROGRAM [ARGUMENT]...   inside: attempts must be stopped
 *      attack-run plain   [options] PROGRAM [ARGUMENT]...   inside: output and result are printed, nothing judged
 *
 *      --profile NAME       of system calls; native without it
 *      --without LAYER      leaves a layer out (by the test build of gbx-sandbox); then only attempts that two
 *                           layers must stop (+2) are judged
 *      --limit NAME=NUMBER  of the spec
 *      --spec JSON          an object that is laid over the spec
 *      --expect OUTCOME     exited:0, exited, signaled:SIGKILL, limit:memory, refused; default exited
 *      --unproven A,B       control: attempts that need not work on this host
 *      --known A,B          inside: attempts that may work, residual risk that docs/sandbox.md states
 *      --each               inside: every attempt in a sandbox of its own (for those that end the whole run)
 *      --pair               two at the same time, with role=sender and role=receiver; the receiver is judged
 *      --leak  --terminal  --listen  --pass-root N     see stage.h; arguments for the program are added
 *
 * Environment: GBX_SANDBOX (default build/gbx-sandbox), GBX_SANDBOX_SWITCHES (its test build), ATTACKS (folder of the programs,
 * default build/tests/attack), ATTACK_TABLE (a file that gets a line for each judgement).
 */
#include "tests/attack/lib/judge.h"
#include "tests/attack/lib/stage.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "runtime/sandbox/launch.h"

#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { OUTPUT_LIMIT = 1024 * 1024, MAX_ARGUMENTS = 32, CONTROL_SECONDS = 60, PAIR_MILLISECONDS = 1500 };

struct plan {
        struct judgement judgement;
        const char *sandbox, *attacks, *profile, *program;
        json_t *limits, *without, *overlay;
        bool leak, terminal, listen, each, pair;
        int pass_root;
        char *arguments[MAX_ARGUMENTS + 1];
        size_t argument_count;
};

__attribute__((format(printf, 2, 3))) static int add_argument(struct plan *plan, const char *format, ...) {
        va_list list;
        int r;

        if (plan->argument_count >= MAX_ARGUMENTS)
                return -E2BIG;
        va_start(list, format);
        r = vasprintf(&plan->arguments[plan->argument_count++], format, list);
        va_end(list);
        return r < 0 ? -ENOMEM : 0;
}

static int set_stage(struct stage *stage, struct plan *plan, struct gbx_error *err) {
        char file[512];
        int r = stage_open(stage, err);

        (void)snprintf(file, sizeof(file), "%s/%s", plan->attacks, plan->program);
        if (r == 0)
                r = stage_image(stage, file, err);
        if (r == 0 && plan->leak)
                r = stage_leak(stage, err);
        if (r == 0 && plan->terminal)
                r = stage_terminal(stage, err);
        if (r == 0 && plan->listen)
                r = stage_listen(stage, err);
        if (r < 0)
                return r;
        if (plan->listen && (add_argument(plan, "port=%d", stage->port) < 0 ||
                             add_argument(plan, "abstract=%s", stage->abstract_name) < 0 ||
                             add_argument(plan, "path=%s", stage->socket_path) < 0))
                return gbx_fail_memory(err);
        if (add_argument(plan, "pid=%d", stage->host_process) < 0 ||
            add_argument(plan, "marker=%s", stage->marker) < 0)
                return gbx_fail_memory(err);
        return 0;
}

/* --- inside ------------------------------------------------------------------ */

static json_t *make_mounts(struct stage *stage, const struct plan *plan, const char *file, struct gbx_error *err) {
        int data = stage_mount(stage, file, "records.csv", err);
        int job = data < 0 ? data : stage_mount(stage, file, plan->program, err);
        int out = job < 0 ? job : stage_mount(stage, NULL, NULL, err);

        if (out < 0)
                return NULL;
        return json_pack("[{s:s,s:i},{s:s,s:i,s:b},{s:s,s:i,s:b},{s:s,s:{s:i,s:i}}]", "target", "/data", "fd", data,
                         "target", "/job", "fd", job, "executable", 1, "target", "/out", "fd", out, "writable", 1,
                         "target", "/tmp", "tmpfs", "bytes", 16 * 1024 * 1024, "inodes", 1024);
}

static json_t *make_spec(struct stage *stage, const struct plan *plan, int output, struct gbx_error *err) {
        char file[512], job[96];
        json_t *spec, *arguments = json_array(), *mounts;

        (void)snprintf(file, sizeof(file), "%s/%s", plan->attacks, plan->program);
        (void)snprintf(job, sizeof(job), "/job/%s", plan->program);
        mounts = make_mounts(stage, plan, file, err);
        if (!mounts)
                return NULL;
        (void)json_array_append_new(arguments, json_string(job));
        for (size_t i = 0; i < plan->argument_count; i++)
                (void)json_array_append_new(arguments, json_string(plan->arguments[i]));
        spec = json_pack("{s:i,s:s,s:{s:s},s:o,s:s,s:o,s:O,s:i,s:i}", "version", 1, "name", "attack", "image",
                         "directory", stage->image, "argv", arguments, "profile", plan->profile, "mounts", mounts, "limits",
                         plan->limits, "stdout", output, "stderr", output);
        if (stage->terminal >= 0)
                (void)json_object_set_new(spec, "stdin", json_integer(stage->terminal));
        if (plan->pass_root > 0) {
                char number[16];
                int root = stage_keep(stage, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

                (void)snprintf(number, sizeof(number), "%d", plan->pass_root);
                (void)json_object_set_new(spec, "pass_fds", json_pack("{s:i}", number, root));
        }
        if (json_array_size(plan->without) > 0)
                (void)json_object_set_new(spec, "options", json_pack("{s:O}", "test_without", plan->without));
        (void)json_object_update(spec, plan->overlay);
        return spec;
}

static int run_inside(struct stage *stage, struct plan *plan, struct gbx_error *err) {
        struct gbx_launch_pipe output;
        struct gbx_launch launch = { .program = plan->sandbox, .pipes = &output, .pipe_count = 1 };
        json_t *result = NULL, *spec;
        size_t kept = stage->descriptor_count;
        int r = gbx_launch_pipe_open(&output, OUTPUT_LIMIT, judge_take, &plan->judgement, err);

        if (r < 0)
                return r;
        spec = make_spec(stage, plan, output.write_end, err);
        if (!spec)
                return err->code;
        launch.spec = spec;
        launch.descriptors = stage->descriptors;
        launch.descriptor_count = stage->descriptor_count;
        r = gbx_launch_run(&launch, &result, err);
        json_decref(spec);
        gbx_launch_pipe_close(&output);
        stage_drop(stage, kept);
        if (r == -EINVAL || r == -ECANCELED) {
                judge_refused(&plan->judgement, err->message);
                return 0;
        }
        if (r == 0)
                judge_result(&plan->judgement, result);
        json_decref(result);
        return r;
}

/* The program's own list of its attempts, which it gives without trying any. */
static int run_each(struct stage *stage, struct plan *plan, struct gbx_error *err) {
        char command[600], name[96];
        FILE *names;
        int r = 0;

        (void)snprintf(command, sizeof(command), "exec %s/%s list=names", plan->attacks, plan->program);
        names = popen(command, "re");
        if (!names)
                return gbx_fail_errno(err, "cannot list the attempts of '%s'", plan->program);
        while (r == 0 && fscanf(names, "%95s", name) == 1 && strcmp(name, "done") != 0) {
                size_t arguments = plan->argument_count, before = plan->judgement.output_size;

                r = add_argument(plan, "only=%s", name);
                if (r == 0)
                        r = run_inside(stage, plan, err);
                plan->argument_count = arguments;
                plan->judgement.required++;
                if (r == 0 && plan->judgement.output_size == before && plan->judgement.result &&
                    strcmp(json_string_value(json_object_get(plan->judgement.result, "outcome")), "exited") != 0)
                        judge_killed(&plan->judgement, name);
        }
        (void)pclose(names);
        return r;
}

/* --- outside ----------------------------------------------------------------- */

/* The control has a private /tmp and no terminal of ours, and cannot touch a mount of the host. */
static void be_control(const struct stage *stage, const struct plan *plan, int output) {
        char file[512], copy[64] = "/tmp/program", victim[64] = "victim=/tmp/victim";
        char *arguments[MAX_ARGUMENTS + 4] = { copy, (char[]){ "--outside" }, victim };
        struct gbx_error err;

        for (size_t i = 0; i < plan->argument_count; i++)
                arguments[3 + i] = plan->arguments[i];
        (void)snprintf(file, sizeof(file), "%s/%s", plan->attacks, plan->program);
        if (stage->terminal < 0)
                (void)setsid();
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                perror("attack-run: control: cannot make a mount namespace");
                _exit(125);
        }
        if (mount("none", "/var/lib", "tmpfs", 0, "mode=0755") < 0 || /* to copy through, for file may be below /tmp */
            stage_copy_file(file, AT_FDCWD, "/var/lib/program", &err) < 0 ||
            mount("none", "/tmp", "tmpfs", 0, "mode=1777") < 0 ||
            stage_copy_file("/var/lib/program", AT_FDCWD, copy, &err) < 0 ||
            stage_copy_file("/var/lib/program", AT_FDCWD, strchr(victim, '/'), &err) < 0 || chdir("/tmp") < 0) {
                perror("attack-run: control: cannot set the stage");
                _exit(125);
        }
        (void)dup2(output, STDOUT_FILENO);
        if (stage->terminal >= 0)
                (void)dup2(stage->terminal, STDIN_FILENO);
        alarm(CONTROL_SECONDS);
        (void)execv(copy, arguments);
        _exit(126);
}

static int run_outside(const struct stage *stage, struct plan *plan, struct gbx_error *err) {
        char block[4096];
        ssize_t n;
        int ends[2], status;
        pid_t child;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return gbx_fail_errno(err, "cannot make a pipe");
        child = fork();
        if (child < 0)
                return gbx_fail_errno(err, "cannot start the control");
        if (child == 0)
                be_control(stage, plan, ends[1]);
        (void)close(ends[1]);
        while ((n = read(ends[0], block, sizeof(block))) > 0)
                judge_take(&plan->judgement, block, (size_t)n);
        (void)close(ends[0]);
        if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
                return gbx_fail(err, -ECANCELED, "the control ended with wait status %#x", (unsigned)status);
        return 0;
}

static int run_one(struct stage *stage, struct plan *plan, struct gbx_error *err) {
        if (plan->judgement.mode == JUDGE_CONTROL)
                return run_outside(stage, plan, err);
        return plan->each ? run_each(stage, plan, err) : run_inside(stage, plan, err);
}

static int run_pair(struct stage *stage, struct plan *plan, struct gbx_error *err) {
        struct timespec now;
        pid_t sender;
        int r;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        if (add_argument(plan, "start=%lld", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000 + PAIR_MILLISECONDS) < 0 ||
            (plan->judgement.mode == JUDGE_CONTROL && add_argument(plan, "image=%s/bin", stage->image) < 0))
                return gbx_fail_memory(err);
        sender = fork();
        if (sender < 0)
                return gbx_fail_errno(err, "cannot start the sender");
        if (sender == 0)
                _exit(add_argument(plan, "role=sender") < 0 || run_one(stage, plan, err) < 0);
        r = add_argument(plan, "role=receiver");
        if (r == 0)
                r = run_one(stage, plan, err);
        if (waitpid(sender, NULL, 0) < 0)
                return gbx_fail_errno(err, "cannot wait for the sender");
        return r;
}

/* --- command line ------------------------------------------------------------ */

static int usage(void) {
        (void)fputs("usage: attack-run control|stopped|plain [options] PROGRAM [ARGUMENT]...\n", stderr);
        return GBX_EXIT_USAGE;
}

static bool set_limit(json_t *limits, const char *text) {
        const char *equals = strchr(text, '=');
        char name[64];

        if (!equals || (size_t)(equals - text) >= sizeof(name))
                return false;
        (void)snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
        return json_object_set_new(limits, name, json_integer(atoll(equals + 1))) == 0;
}

static bool parse_options(struct plan *plan, int argc, char **argv) {
        static const struct option options[] = {
                { "profile", 1, NULL, 'p' }, { "without", 1, NULL, 'w' },  { "limit", 1, NULL, 'l' },
                { "spec", 1, NULL, 's' },    { "expect", 1, NULL, 'e' },   { "unproven", 1, NULL, 'u' },
                { "leak", 0, NULL, 'L' },    { "terminal", 0, NULL, 't' }, { "listen", 0, NULL, 'n' },
                { "pass-root", 1, NULL, 'r' }, { "known", 1, NULL, 'k' },    { "each", 0, NULL, 'E' },        { "pair", 0, NULL, 'P' },
                { NULL, 0, NULL, 0 },
        };
        int option;

        while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0)
                switch (option) {
                case 'p': plan->profile = optarg; break;
                case 'w': (void)json_array_append_new(plan->without, json_string(optarg)); break;
                case 'e': plan->judgement.expect = optarg; break;
                case 'k': plan->judgement.known = optarg; break;
                case 'u': plan->judgement.unproven = optarg; break;
                case 'L': plan->leak = true; break;
                case 't': plan->terminal = true; break;
                case 'n': plan->listen = true; break;
                case 'E': plan->each = true; break;
                case 'P': plan->pair = true; break;
                case 'r': plan->pass_root = atoi(optarg); break;
                case 'l':
                        if (!set_limit(plan->limits, optarg))
                                return false;
                        break;
                case 's':
                        plan->overlay = json_loads(optarg, JSON_REJECT_DUPLICATES, NULL);
                        if (!plan->overlay)
                                return false;
                        break;
                default: return false;
                }
        if (optind >= argc || argc - optind > MAX_ARGUMENTS - 8)
                return false;
        plan->program = argv[optind++];
        while (optind < argc)
                plan->arguments[plan->argument_count++] = argv[optind++];
        plan->judgement.program = plan->program;
        plan->judgement.profile = plan->judgement.mode == JUDGE_CONTROL ? NULL : plan->profile;
        return true;
}

/* Only the leader of a session can have a controlling terminal, and it loses its life with it. */
static void lead_session(void) {
        pid_t child = fork();
        int status;

        if (child > 0)
                exit(waitpid(child, &status, 0) < 0 || !WIFEXITED(status) ? GBX_EXIT_FAILED : WEXITSTATUS(status));
        (void)setsid();
}

int main(int argc, char **argv) {
        struct plan plan = { .profile = "native", .without = json_array() };
        struct stage stage = { 0 };
        struct gbx_error err = { 0 };
        int r;

        if (argc < 3 || !judge_mode(&plan.judgement, argv[1]))
                return usage();
        plan.sandbox = getenv("GBX_SANDBOX") ? getenv("GBX_SANDBOX") : "build/gbx-sandbox";
        plan.attacks = getenv("ATTACKS") ? getenv("ATTACKS") : "build/tests/attack";
        plan.limits = json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "wall_ms", 60000, "cpu_ms", 60000, "memory_bytes",
                                256 * 1024 * 1024, "pids", 16, "open_files", 64, "file_bytes", 64 * 1024 * 1024,
                                "denials", 100000);
        if (!parse_options(&plan, argc - 1, argv + 1))
                return usage();
        if (json_array_size(plan.without) > 0)
                plan.sandbox = getenv("GBX_SANDBOX_SWITCHES") ? getenv("GBX_SANDBOX_SWITCHES")
                                                              : "build/tests/gbx-sandbox-switches";
        plan.judgement.reduced = json_array_size(plan.without) > 0 || plan.pass_root > 0;
        (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4096, 4096 });
        if (plan.terminal)
                lead_session();
        r = set_stage(&stage, &plan, &err);
        if (r == 0)
                r = plan.pair ? run_pair(&stage, &plan, &err) : run_one(&stage, &plan, &err);
        (void)signal(SIGHUP, SIG_IGN);
        stage_close(&stage);
        if (r < 0) {
                (void)fprintf(stderr, "attack-run: %s\n", err.message);
                return GBX_EXIT_FAILED;
        }
        return judge_verdict(&plan.judgement, plan.without) ? GBX_EXIT_DONE : GBX_EXIT_FAILED;
}
