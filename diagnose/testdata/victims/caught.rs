// A caught panic is no crash.
fn main() {
    let r = std::panic::catch_unwind(|| { let v: Vec<u8> = Vec::new(); v[std::env::args().count()] });
    println!("recovered: {}", r.is_err());
}
