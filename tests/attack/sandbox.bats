# What a job tries from inside, E01 to E14. Each attack has three kinds of claim: it works outside (so the
# attempt is real), it is stopped inside, and where it matters it is stopped with one layer taken away.

setup() {
        load lib/common
}

# The controls of E14 run copies of themselves and cannot remove them.
teardown() {
        rm -f /tmp/copy /dev/shm/copy
}

@test "E01 overwriting the runtime works outside" {
        outside e01_runtime_overwrite
}
@test "E01 overwriting the runtime is stopped" {
        before=$(sha256sum "$GBX_SANDBOX")
        inside e01_runtime_overwrite
        inside --profile lua e01_runtime_overwrite
        [ "$before" = "$(sha256sum "$GBX_SANDBOX")" ]
}

@test "E02 leaked descriptors are found outside" {
        outside --leak e02_descriptors
}
@test "E02 leaked descriptors are closed" {
        inside --leak e02_descriptors
        inside --leak --profile lua e02_descriptors
}
@test "E02 without closing descriptors, Landlock still refuses what is below them" {
        without close_descriptors --leak e02_descriptors
}
@test "E02 without Landlock, descriptors are still closed" {
        without landlock --leak e02_descriptors
}

@test "E03 files of the host can be opened outside" {
        outside e03_host_files
}
@test "E03 files of the host cannot be opened" {
        inside e03_host_files
        inside --profile lua e03_host_files
}
@test "E03 without the filter, files of the host cannot be opened" {
        without seccomp e03_host_files
}
@test "E03 below a directory of the host that was passed, Landlock alone holds" {
        inside --pass-root 5 e03_host_files
}

@test "E04 namespaces can be made and entered outside" {
        outside e04_namespaces
}
@test "E04 namespaces can be neither made nor entered" {
        inside e04_namespaces
        inside --profile lua e04_namespaces
        inside --profile native-threads e04_namespaces
}
@test "E04 without the filter, limits and missing capabilities stop namespaces" {
        without seccomp e04_namespaces
}
@test "E04 with capabilities, the filter stops namespaces" {
        without capabilities e04_namespaces
}

@test "E05 mounts can be changed outside" {
        outside e05_mounts
}
@test "E05 mounts cannot be changed" {
        inside e05_mounts
        inside --profile lua e05_mounts
}
@test "E05 without the filter, missing capabilities stop mounts" {
        without seccomp e05_mounts
}
@test "E05 with capabilities, the filter stops mounts" {
        without capabilities e05_mounts
}

@test "E06 dangerous system calls reach the kernel outside" {
        outside e06_kernel_calls
}
@test "E06 dangerous system calls do not reach the kernel" {
        inside --each e06_kernel_calls
        slow_in_vm || inside --each --profile lua e06_kernel_calls
}
@test "E06 without the filter, missing capabilities stop those that need one" {
        without seccomp e06_kernel_calls
}
@test "E06 tracing works outside" {
        outside e06_ptrace
}
@test "E06 no process can be traced or read" {
        inside --each e06_ptrace
        slow_in_vm || inside --each --profile lua e06_ptrace
}
@test "E06 without the filter, init and the host cannot be traced" {
        without seccomp e06_ptrace
}

@test "E07 sockets can be opened outside" {
        outside e07_sockets
}
@test "E07 no socket of any family by any door" {
        inside e07_sockets
        slow_in_vm || inside --each --profile lua e07_sockets
}

@test "E08 characters can be put into the terminal outside" {
        outside --terminal e08_terminal
}
@test "E08 nothing can be put into the terminal" {
        inside --terminal e08_terminal
        inside --terminal --profile lua e08_terminal
}
@test "E08 without the filter, there is no controlling terminal to put it into" {
        without seccomp --terminal e08_terminal
}

@test "E09 addresses of the host answer outside" {
        outside --listen e09_network
}
@test "E09 no address can be reached" {
        inside --listen e09_network
        inside --listen --profile lua e09_network
}
@test "E09 without the filter, the network namespace is empty" {
        without seccomp --listen e09_network
}
@test "E09 without a network namespace, the filter allows no socket" {
        without network_namespace --listen e09_network
}

@test "E10 processes of the host can be signalled and seen outside" {
        outside e10_processes
}
@test "E10 processes of the host can be neither signalled nor seen" {
        inside e10_processes
        inside --profile lua e10_processes
}
@test "E10 without the filter, processes of the host can be neither signalled nor seen" {
        without seccomp e10_processes
}

@test "E11 counters of the machine can be read outside" {
        outside e11_host_counters
}
@test "E11 counters of the machine cannot be read" {
        inside e11_host_counters
        inside --profile lua e11_host_counters
}

@test "E14 privilege can be gained outside" {
        outside e14_privilege
}
@test "E14 privilege cannot be gained" {
        inside e14_privilege
        inside --profile lua e14_privilege
}
@test "E14 without no_new_privs, setuid files and file capabilities give nothing" {
        # Filter and Landlock cannot be had without no_new_privs, so these go too; three layers off.
        without no_new_privileges --without seccomp --without landlock e14_privilege
}
@test "E14 without nosuid and noexec, no_new_privs and Landlock hold" {
        without mount_flags e14_privilege
}
@test "E14 without nosuid and no_new_privs, ids without a mapping give nothing" {
        attack stopped --without mount_flags --without no_new_privileges --without seccomp --without landlock \
                e14_privilege only=setuid-file
        attack stopped --without mount_flags --without no_new_privileges --without seccomp --without landlock \
                e14_privilege only=file-capabilities
}
@test "E14 without the filter, other layers hold" {
        without seccomp e14_privilege
}
