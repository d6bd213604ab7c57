PROGRAMS += gbx-egress
gbx-egress_MAIN := gateway/egress/gbx-egress.c
gbx-egress_MODULES := gateway/egress gateway/gate policy base

# The proxy's own system call profile, compiled and embedded.
$(BUILD)/gen/egress-profile.c: $(BUILD)/gen/profile-compiler policy/profiles/egress
	@echo "  GEN   $@"
	@$< --alone policy/profiles egress >$@.new && mv $@.new $@
$(BUILD)/obj/gen/egress-profile.o: $(BUILD)/gen/egress-profile.c
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) -c $< -o $@
$(BUILD)/lib/gateway-egress.a: $(BUILD)/obj/gen/egress-profile.o
