# What is left after a kill: no process, no control group, no mount, no loop or network device, no file.
# lib/crash.c kills; the test build of gbx-sandbox stops itself at the named stage of a start.

setup() {
        load lib/common
}

@test "E12 SIGKILL of the launcher at each of its stages leaves nothing" {
        "$build/crash-run" stages parsed guarded prepared limited networked cloned went launched
}
@test "E12 SIGKILL of the launcher at each stage of the sandbox's init leaves nothing" {
        "$build/crash-run" stages init forbidding entering mounting mounted mapped identified followed named owned opened \
                placed closed started reaping
}
@test "E12 SIGKILL of the launcher while the job confines itself leaves nothing" {
        "$build/crash-run" stages job confined
}
@test "E12 SIGKILL of guard, init or job at a stage ends the run and leaves nothing" {
        "$build/crash-run" others prepared cloned mounting opened job
}
@test "E12 SIGKILL of any one process of a running sandbox ends it and leaves nothing" {
        "$build/crash-run" running
}
@test "E12 SIGKILL at any moment of a start leaves nothing" {
        "$build/crash-run" moments "$(slow_in_vm && echo 15 || echo 60)"
}

# The same with an image file, which has a loop device. The test build is put beside the program that computes digests:
# its first start has one to compute.
with_image_file() { # ARGUMENTS OF CRASH-RUN...
        top=$(mktemp -d /var/tmp/gbx-crash-image-XXXXXX)
        chmod 755 "$top"
        if [ -n "${GBX_VM:-}" ]; then
                cp "$build/tests/images/plain.squashfs" "$top/image"
        else
                mkdir -p "$top"/root/{dev,job,proc,tmp}
                basename "$top" >"$top/root/name" # an image, and a digest, like no other
                mksquashfs "$top/root" "$top/image" -quiet -no-progress >/dev/null
        fi
        cp "$GBX_SANDBOX_SWITCHES" "$(dirname "$GBX_SANDBOX")/gbx-image-digest" "$top/"
        digest=sha256:$(sha256sum "$top/image" | cut -d' ' -f1)
        GBX_SANDBOX_SWITCHES=$top/$(basename "$GBX_SANDBOX_SWITCHES") "$build/crash-run" --image "$top/image" "$digest" "$@"
}
teardown() {
        [ -z "${top:-}" ] || rm -rf "$top" "/run/glovebox-images/$digest"
}
@test "E12 with an image file, SIGKILL of the launcher at each stage leaves no loop device either" {
        with_image_file stages parsed guarded prepared limited networked cloned went launched forbidding entering mounting \
                mounted mapped identified followed named owned opened placed closed started reaping job confined
}
@test "E12 with an image file, SIGKILL of guard, init or job leaves no loop device either" {
        with_image_file others prepared cloned mounting opened job
        rm -rf "$top"
        with_image_file running
}
@test "E12 with an image file, SIGKILL at any moment of a start leaves no loop device either" {
        with_image_file moments "$(slow_in_vm && echo 15 || echo 60)"
}
@test "E12 after all this gc has nothing to do" {
        run "$GBX_SANDBOX" gc
        echo "$output"
        [ "$status" -eq 0 ]
        ! echo "$output" | grep -q crash- || false
}
