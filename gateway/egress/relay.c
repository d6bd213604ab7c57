#include "gateway/egress/relay.h"

bool gbx_relay_start(struct gbx_connection *connection) {
        (void)connection;
        return false;
}

void gbx_relay_stop(struct gbx_connection *connection) { (void)connection; }
