PROGRAMS += gbx-witness
gbx-witness_MAIN := gateway/log/witness/witness_main.c
gbx-witness_MODULES := base gateway/log/format gateway/log/writer gateway/log/witness
gbx-witness_LIBS := -levent -ljansson -lcrypto
