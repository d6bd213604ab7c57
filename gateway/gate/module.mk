# Data files that programs look for beside themselves (base/install.h).
$(BUILD)/share/content-scan.yaml: policy/rules/content-scan.yaml
	@install -D -m 644 $< $@
programs tests: $(BUILD)/share/content-scan.yaml

# gbx-gate parses what jobs left, in a sandbox that holds no file but it: static.
PROGRAMS += gbx-gate
gbx-gate_MAIN := gateway/gate/gate_main.c
gbx-gate_MODULES := gateway/gate policy base
gbx-gate_LIBS := -lyaml -ljansson -lpcre2-8 -lcrypto
gbx-gate_LDFLAGS := -static-pie -s -Wl,--no-warnings
