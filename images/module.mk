# `make images`: one squashfs file for each image, named by its digest.
IMAGES := lua native-min
images: $(IMAGES:%=$(BUILD)/images/%.digest)
$(BUILD)/images/%.digest: images/build images/skeleton images/%/files
	@images/build $*
$(BUILD)/images/lua.digest: $(BUILD)/gbx-lua
