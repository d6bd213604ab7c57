# A site with its people, for the end-to-end tests. `make_site FOLDER` leaves GBX_SITE and PEOPLE set.
build=$(cd "${BUILD:-build}" && pwd)
demo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../scripts/demo" && pwd)
fixtures=$(cd "$(dirname "${BASH_SOURCE[0]}")/../fixtures" && pwd)
export PATH=$build:$PATH

make_people() { # FOLDER
        local name
        mkdir -p "$1"
        for name in fund bank-a bank-b wang li audit admin; do
                ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$1/$name"
        done
        age-keygen -o "$1/bank-a.age" 2>/dev/null
        age-keygen -o "$1/bank-b.age" 2>/dev/null
}

make_site() { # FOLDER
        export GBX_SITE=$1/site PEOPLE=$1/people
        make_people "$PEOPLE"
        gbx init --origin "test.example/$(basename "$1")"
        gbx user add admin --role admin --ssh-key "$PEOPLE/admin.pub"
        gbx user add fund --role owner --ssh-key "$PEOPLE/fund.pub" --as admin
        gbx user add bank-a --role analyst --ssh-key "$PEOPLE/bank-a.pub" --age "$(age-keygen -y "$PEOPLE/bank-a.age")" --as admin
        gbx user add bank-b --role analyst --ssh-key "$PEOPLE/bank-b.pub" --age "$(age-keygen -y "$PEOPLE/bank-b.age")" --as admin
        gbx user add wang --role reviewer --ssh-key "$PEOPLE/wang.pub" --as admin
        gbx user add li --role reviewer --ssh-key "$PEOPLE/li.pub" --as admin
        gbx user add audit --role auditor --ssh-key "$PEOPLE/audit.pub" --as admin
        age -r "$(gbx keys recipient)" -o "$PEOPLE/credit.csv.age" "$fixtures/credit.csv"
        gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" --key "$PEOPLE/fund" "$PEOPLE/credit.csv.age" --as fund
        gbx policy apply "$demo/credit-scoring.yaml" --as admin
}

# Submits a file and prints its digest.
submit() { # FILE [OPTION…]
        gbx algo submit "$@" --as bank-a --json | jq -r .digest
}

approve() { # DIGEST [PURPOSE]
        gbx review approve "$1" --purpose "${2:-credit-scoring}" --key "$PEOPLE/wang"
        gbx review approve "$1" --purpose "${2:-credit-scoring}" --key "$PEOPLE/li"
}

# Runs a command and checks its exit status; $output holds what it printed, both streams.
status_is() { # STATUS COMMAND…
        local want=$1
        shift
        run "$@"
        if [ "$status" -ne "$want" ]; then
                echo "exit status $status, expected $want: $*"
                echo "$output"
                return 1
        fi
}

says() { # TEXT
        if [[ $output != *"$1"* ]]; then
                echo "expected: $1"
                echo "printed: $output"
                return 1
        fi
}
