//! Tells cargo that the emulator holds the discovery documents: a file that is new there is seen, not only one that changed.

fn main() {
    println!("cargo::rerun-if-changed=../../fixtures/discovery");
}
