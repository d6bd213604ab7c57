PROGRAMS += gbx
gbx_MAIN := gateway/cli/gbx.c
