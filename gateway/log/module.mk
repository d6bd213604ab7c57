PROGRAMS += gbx-witness
gbx-witness_MAIN := gateway/log/witness_main.c
gbx-witness_MODULES := base gateway/log
gbx-witness_LIBS := -levent -ljansson -lcrypto
