PROGRAMS += gbx-egress
gbx-egress_MAIN := gateway/egress/gbx-egress.c
gbx-egress_MODULES := gateway/egress gateway/release policy base
