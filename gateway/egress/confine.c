#include "gateway/egress/confine.h"

#include "base/lockdown.h"

/* policy/profiles/egress, compiled by the build. */
extern const struct sock_filter gbx_profile_egress[];
extern const size_t gbx_profile_egress_length;

int gbx_egress_confine(struct gbx_error *err) {
        return gbx_lockdown(&(struct gbx_lockdown){ GBX_EGRESS_UID, gbx_profile_egress, gbx_profile_egress_length }, err);
}
