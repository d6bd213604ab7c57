#include "runtime/sandbox/denials.h"

#include <string.h>

static bool same_answer(const struct gbx_denial_action *a, const struct gbx_denial_action *b) {
        return a->kind == b->kind && a->error == b->error;
}

static struct gbx_denial *find(struct gbx_denials *denials, const struct gbx_denial *denial, size_t *ret_of_call) {
        *ret_of_call = 0;
        for (size_t i = 0; i < denials->group_count; i++) {
                struct gbx_denial *group = &denials->groups[i];

                if (group->syscall != denial->syscall)
                        continue;
                if (memcmp(group->class.words, denial->class.words, sizeof group->class.words) == 0 &&
                    same_answer(&group->action, &denial->action))
                        return group;
                ++*ret_of_call;
        }
        return NULL;
}

void gbx_denials_add(struct gbx_denials *denials, int syscall, const uint64_t arguments[static GBX_DENIAL_ARGUMENTS],
                     struct gbx_denial_action action) {
        struct gbx_denial denial = { .syscall = gbx_syscall_name(syscall) ? syscall : GBX_DENIALS_NO_CALL, .action = action };
        struct gbx_denial *group;
        size_t of_call;

        denials->total++;
        denial.class = gbx_denial_classify(syscall, arguments);
        group = find(denials, &denial, &of_call);
        if (!group && of_call >= GBX_DENIALS_PER_CALL) {
                for (size_t i = 0; i < GBX_DENIAL_WORDS; i++)
                        denial.class.words[i] = denial.class.words[i] ? GBX_DENIAL_OTHER : 0;
                group = find(denials, &denial, &of_call);
        }
        if (!group && denials->group_count < GBX_DENIALS_MAX) {
                group = &denials->groups[denials->group_count++];
                *group = denial;
        }
        if (group) {
                group->count++;
                group->class.flags |= denial.class.flags;
        }
}
