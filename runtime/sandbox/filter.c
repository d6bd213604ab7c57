#include "runtime/sandbox/filter.h"

#include <string.h>

const struct gbx_filter *gbx_filter_find(const char *name) {
        for (size_t i = 0; i < gbx_filter_count; i++)
                if (strcmp(gbx_filters[i].name, name) == 0)
                        return &gbx_filters[i];
        return NULL;
}

struct gbx_denial_action gbx_filter_denial(const struct gbx_filter *filter, int syscall) {
        for (size_t i = 0; i < filter->action_count; i++)
                if (filter->actions[i].syscall == syscall)
                        return filter->actions[i];
        return filter->fallback;
}

const char *gbx_syscall_name(int number) {
        return number >= 0 && (size_t)number < gbx_syscall_name_count ? gbx_syscall_names[number] : NULL;
}
