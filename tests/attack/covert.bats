# E11: two sandboxes that run together and want to talk.

setup() {
        load lib/common
}

@test "E11 each channel carries a word outside" {
        outside --pair --unproven file-tmp e11_covert
}
@test "E11 no channel carries a word between two sandboxes" {
        inside --pair e11_covert
}
@test "E11 no channel carries a word between two Lua sandboxes" {
        inside --pair --profile lua e11_covert
}
