# For the .bats files here: names of what the build made, and attack-run (lib/run.c).
# The same files run in the virtual machine of scripts/test-vm, where there is no bats,
# jq or python: only bash and busybox.
build=${BUILD:-build}
export ATTACKS=$build/tests/attack GBX_SANDBOX=${GBX_SANDBOX:-$build/gbx-sandbox}
export GBX_SANDBOX_SWITCHES=${GBX_SANDBOX_SWITCHES:-$build/tests/gbx-sandbox-switches}

attack() {
        "$build/attack-run" "$@"
}

# The attempts work outside, do not work inside.
outside() {
        attack control "$@"
}
inside() {
        attack stopped "$@"
}

# With a layer off, what two layers must stop is still stopped: without LAYER [options] PROGRAM.
without() {
        local layer=$1
        shift
        attack stopped --without "$layer" "$@"
}

# Some of what a test needs is only on one kind of machine.
only_on_host() {
        [ -z "${GBX_VM:-}" ] || skip "only outside of the virtual machine: $1"
}
only_in_vm() {
        [ -n "${GBX_VM:-}" ] || skip "only in the virtual machine: $1"
}
# For what is left out there to save minutes: it depends on the filter alone, not on the kernel.
slow_in_vm() {
        [ -n "${GBX_VM:-}" ]
}
