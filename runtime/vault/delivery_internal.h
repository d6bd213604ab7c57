/* Inside of delivery.h. */
#pragma once

#include "runtime/vault/delivery.h"

struct gbx_delivery {
        enum gbx_delivery_kind kind;
        int mount;
        bool noswap;
        bool sealed;
};
