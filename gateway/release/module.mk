# Data files that programs look for beside themselves (gateway/install.h).
$(BUILD)/share/content-scan.yaml: policy/rules/content-scan.yaml
	@install -D -m 644 $< $@
programs tests: $(BUILD)/share/content-scan.yaml
