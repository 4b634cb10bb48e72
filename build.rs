//! Tells cargo that the program holds the folder of steps: a file that is new there is seen, not only one that changed.

fn main() {
    println!("cargo::rerun-if-changed=steps");
}
