#[rt_export::export] /// doc
fn panic_probe(x: i64) -> i64 { x }
