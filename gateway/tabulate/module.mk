# Verified tables. Roaring is a shared library in Debian, so this program is not static.
PROGRAMS += gbx-tabulator
gbx-tabulator_MAIN := gateway/tabulate/tabulate_main.c
gbx-tabulator_MODULES := gateway/tabulate gateway/tabulate/expression runtime/engine policy base
gbx-tabulator_LIBS := -lroaring -Wl,-Bstatic -lgmp -lyaml -ljansson -Wl,-Bdynamic -lcrypto -lm
