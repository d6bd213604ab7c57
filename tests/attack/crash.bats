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
@test "E12 after all this gc has nothing to do" {
        run "$GBX_SANDBOX" gc
        echo "$output"
        [ "$status" -eq 0 ]
        ! echo "$output" | grep -q crash-
}
