# E09, E22: ways around the egress proxy, counted, each beside a control of its own. tests/fixtures/egress/ways.py lists
# them; the attacker has every privilege in the job's network namespace, and a default route through the gateway.

bats_require_minimum_version 1.5.0

load ../fixtures/egress/suite

hop='"breaker-failures":0'
rules='[{"name":"hostile","scheme":"http","host":"hostile.test","port":8000,"methods":["GET","POST"],"paths":["/ok","/redirect","/redirect-good"],'$hop'},
 {"name":"plain","scheme":"http","host":"plain.test","paths":["/v1/"],"methods":["GET","POST"],'$hop'},
 {"name":"verify","scheme":"https","host":"api.test","tls":{"mode":"verify"},'$hop'},
 {"name":"inspect","scheme":"https","host":"mtls.test","port":444,"tls":{"mode":"inspect","client-certificate":"bank"},"paths":["/v1/"],'$hop'},
 {"name":"selfsigned","scheme":"https","host":"api.test","port":445,"tls":{"mode":"verify"},'$hop'},
 {"name":"othername","scheme":"https","host":"api.test","port":446,"tls":{"mode":"inspect"},'$hop'},
 {"name":"names","scheme":"http","host":"*.wild.test","names":2,'$hop'},
 {"name":"loopback","scheme":"http","host":"loopback.test","port":8000,'$hop'},
 {"name":"metadata","scheme":"http","host":"metadata.test",'$hop'},
 {"name":"private","scheme":"http","host":"private.test",'$hop'},
 {"name":"zero","scheme":"http","host":"zero.test",'$hop'},
 {"name":"mixed","scheme":"http","host":"mixed.test",'$hop'},
 {"name":"rebind","scheme":"http","host":"rebind.test","port":8000,'$hop'},
 {"name":"echo","scheme":"tcp","host":"plain.test","port":7000,'$hop'}]'

@test "more than forty ways around the proxy are stopped, and the control of each gets through" {
        : >"$LAB/reached"
        : >"$LAB/asked"
        lab_config '.limits={"head-ms":1500,failures:0}' <<<"$rules"
        run job sh -c 'ip link set lo up; ip route add default via $GBX_GATEWAY; exec /usr/bin/python3 tests/fixtures/egress/ways.py'
        echo "$output"
        [ "$status" -eq 0 ]
        [ "$(grep -c ': stopped, control passes$' <<<"$output")" -ge 40 ]
        run ! grep -q -e THROUGH -e "CONTROL FAILED" <<<"$output"
        run ! grep -q TRAP "$LAB/reached"
        run ! grep -q smuggled "$LAB/requests"
        run ! grep -q leaky "$LAB/asked"
}

@test "whatever a name resolves to, in whatever spelling: special addresses are reached only where a rule lists them" {
        local addresses=(127.0.0.1 127.1.2.3 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1 100.100.100.200 169.254.169.254 169.254.170.2 198.18.0.1 192.0.2.1
                224.0.0.1 255.255.255.255 ::1 :: ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::ffff:93.184.216.34 ::127.0.0.1
                64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::a9fe:a9fe 2002:7f00:1:: 2001::1 2001:db8::1 fd00:ec2::254 fc00::1 fe80::1 fec0::1 ff02::1)
        local names='{}' list='[]' i=0 address
        for address in "${addresses[@]}"; do
                i=$((i + 1))
                names=$(jq -c --arg name "s$i.test" --arg address "$address" '.[$name]=$address' <<<"$names")
                list=$(jq -c --arg name "s$i" '. + [{name:$name,scheme:"http",host:($name + ".test"),port:8000,"breaker-failures":0}]' <<<"$list")
        done
        : >"$LAB/reached"
        lab_config ".hosts=$names" <<<"$list"
        run job sh -c "for n in \$(seq $i); do curl -s --max-time 3 -w '%{http_code}\n' http://s\$n.test:8000/ok; done"
        [ "$(sort -u <<<"$output")" = $'403\nthe host resolves to an address that is not allowed' ] || { echo "$output"; false; }
        [ "$(wc -l <<<"$output")" = $((2 * i)) ]
        run ! grep -q TRAP "$LAB/reached"
        # Control: a rule that lists the range gets there, and to nothing outside of it; some no rule can list.
        lab_config ".hosts=$names" <<<"$(jq -c 'map(.addresses=["127.0.0.0/29","0.0.0.0/8","224.0.0.0/4","ff00::/8"])' <<<"$list")"
        run job sh -c "for n in \$(seq $i); do curl -s --max-time 3 -o /dev/null -w '%{http_code} ' http://s\$n.test:8000/ok; done"
        [ "$output" = "200 $(printf '403 %.0s' $(seq 2 $i))" ] || { echo "$output"; false; }
        grep -q TRAP "$LAB/reached"
}
