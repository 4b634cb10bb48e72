# compiles the egress crate's tests with the libraries that cargo has built, while cargo's lock is held
D=/tmp/w/target-envoy/debug/deps
cd /tmp/w/wt-envoy
J=$(grep -o 'libjson-[0-9a-f]*' <<<"" ; ls -t $D/libjson-*.rlib | tail -1)
for j in $(ls -t $D/libjson-*.rlib); do
for s in $(ls -t $D/libserde_json-*.rlib); do
nice -n 5 rustc --edition 2024 --crate-name egress --test src/egress/mod.rs -C debuginfo=0 -o /tmp/w/envoy-rt/egress-test -L dependency=$D \
 --extern json=$j --extern serde_json=$s --extern serde=$1 --extern ipnet=$(ls -t $D/libipnet-*.rlib|head -1) --extern regex_lite=$(ls -t $D/libregex_lite-*.rlib|head -1) --extern thiserror=$2 --extern url=$3 --extern proptest=$(ls -t $D/libproptest-*.rlib | head -1) 2> /tmp/w/envoy-rt/rt.err && exit 0
grep -q "E0460\|E0463\|E0464" /tmp/w/envoy-rt/rt.err || { grep -E "^(error|warning)" -A6 /tmp/w/envoy-rt/rt.err | head -80; exit 1; }
done; done
head -40 /tmp/w/envoy-rt/rt.err
