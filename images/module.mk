# `make images`: one squashfs file for each image, named by its digest.
IMAGES := lua native-min tabulator
DUCKDB := $(wildcard vendor/duckdb/libduckdb.so)
ifneq ($(DUCKDB),)
IMAGES += engine # optional: scripts/install-duckdb
endif
images: $(IMAGES:%=$(BUILD)/images/%.digest)
$(BUILD)/images/%.digest: images/build images/skeleton images/%/files
	@images/build $*
$(BUILD)/images/lua.digest: $(BUILD)/gbx-lua
$(BUILD)/images/tabulator.digest: $(BUILD)/gbx-tabulator
$(BUILD)/images/engine.digest: $(BUILD)/gbx-lua-duckdb $(DUCKDB)
