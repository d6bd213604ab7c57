PROGRAMS += gbx
gbx_MAIN := gateway/cli/gbx.c
# What reads bytes of strangers is in gbx-parse alone.
gbx_MODULES := $(filter-out gateway/parse/program,$(MODULES))
